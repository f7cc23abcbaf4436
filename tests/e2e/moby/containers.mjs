// A world whose modules are containers: daemon and cloud are processes of the host, the rest is in the engine.
import fs from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { World, until } from '../world.mjs';
import { Engine, hostAddress } from './engine.mjs';

export class ContainerWorld extends World {
  constructor(name) {
    super(name);
    this.cloudAddress = hostAddress;
    this.hostname = 'edge-gateway';  // edgeHub's alias on the network
    this.hubEnv = {};
    this.startLimit = 300;  // a container is far more work than a process: 0.4 s each, 6 s when the disk is busy
    this.engine = new Engine();
    this.ledgers = path.join(this.root, 'ledgers');
    fs.mkdirSync(this.ledgers);
  }
  async startEngine() {
    await this.engine.start();
    this.engine.packageImages();
    await this.engine.makeImages({ 'skerry/sensor': ['/bin/sensor'], 'skerry/filter': ['/bin/filter'] });
  }
  // A module that is a script in a shell. It ends at once when it is asked to, if it says `steady` in the end.
  shell(script, { image = 'skerry/base', options = {}, ...extra } = {}) {
    const module = this.module(image, extra);
    module.settings.createOptions = JSON.stringify({ Entrypoint: ['/bin/sh', '-c', script], ...options });
    return module;
  }
  get reported() { return this.twin('$edgeAgent').properties.reported; }
  // Until the agent has carried out the deployment that is wanted now.
  async untilDeployed(code = 200, seconds = 60) {
    return until(`the deployment is reported with ${code}`, () => {
      const { desired, reported } = this.twin('$edgeAgent').properties;
      return reported.lastDesiredVersion === desired.$version && reported.lastDesiredStatus?.code === code && reported;
    }, seconds);
  }
  agentLog() { return this.moduleLog('edgeAgent'); }

  engineConfig() { return ['[moby_runtime]', `uri = "unix://${this.engine.socket}"`, 'network = "azure-iot-edge"']; }

  ledger(name) { return path.join(this.ledgers, `${name}.ledger`); }
  // A module that writes its ledger.
  accountant(image, name) {
    const module = this.module(image, { env: { SKERRY_LEDGER: `/ledgers/${name}.ledger` } });
    module.settings.createOptions = JSON.stringify({ HostConfig: { Binds: [`${this.ledgers}:/ledgers`] } });
    return module;
  }

  // Everything off the power at once, but the test itself: cloud, daemon, dockerd, containerd, containers.
  async cutPower() {
    const kept = new Set();
    for (let pid = process.pid; pid > 0; pid = Number(/\) \S (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))[1])) {
      kept.add(pid);
    }
    await until('nothing runs any more', () => {
      const others = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && !kept.has(Number(name))).map(Number)
        .filter((pid) => {
          try {
            return !/\) [ZX]/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
          } catch {
            return false;
          }
        });
      for (const pid of others) {
        try { process.kill(pid, 'SIGKILL'); } catch { /* ended meanwhile */ }
      }
      return others.length === 0;
    });
    this.engine.forgetBoot();
  }

  async close() {
    try {
      if (this.daemon) await this.killDaemon();
      await this.engine.close();
    } finally {
      await super.close();
    }
  }
  async story() { return `${await super.story()}--- dockerd\n${this.engine.story()}\n`; }
}

// Waits in a way that ends with the wish to stop: the first process of a container has no default for TERM.
export const steady = 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done';

// One world for all tests of a file, in their order: `prepare` starts it. Returns what declares a test with it.
export function suite(name, prepare) {
  let world;
  const telling = (body) => async () => {
    try {
      return await body();
    } catch (error) {
      error.message += `\n${await world.story()}`;
      throw error;
    }
  };
  before(telling(async () => {
    world = new ContainerWorld(name);
    await world.startEngine();
    await prepare(world);
  }));
  after(() => world.close());
  return (title, body) => test(title, telling(() => body(world)));
}

export async function withContainers(name, body) {
  const world = new ContainerWorld(name);
  try {
    await world.startEngine();
    await body(world);
  } catch (error) {
    error.message += `\n${await world.story()}`;
    throw error;
  } finally {
    await world.close();
  }
}
