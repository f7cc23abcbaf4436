// tests/e2e/moby/engine_check.cpp against an engine and a registry with a password.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { repository } from '../world.mjs';
import { credentials, registryAddress } from './engine.mjs';

export async function checkEngine(engine) {
  try {
    await engine.start();
    await engine.startRegistry();
    await engine.makeImages({});
    const image = await engine.publish('check:1', ['/bin/sh']);
    const { Id } = await engine.ask('POST', '/containers/create?name=foreign',
      { Image: 'skerry/base:latest', Entrypoint: ['/bin/sleep', '1000'] });
    await engine.ask('POST', `/containers/${Id}/start`);
    try {
      await promisify(execFile)(path.join(repository, 'build/release/tests/moby_engine_check'), [], {
        timeout: 120000, killSignal: 'SIGKILL', env: { ...process.env, SKERRY_MOBY_SOCKET: engine.socket, SKERRY_MOBY_IMAGE: image,
          SKERRY_MOBY_USER: credentials.username, SKERRY_MOBY_PASSWORD: credentials.password,
          SKERRY_MOBY_REGISTRY: registryAddress, SKERRY_MOBY_FOREIGN: 'foreign' } });
    } catch (error) {
      throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}\n--- engine\n${engine.story()}`);
    }
  } finally {
    await engine.close();
  }
}
