// A world whose modules are containers: daemon and cloud are processes of the host, the rest is in the engine.
import fs from 'node:fs';
import path from 'node:path';
import { World } from '../world.mjs';
import { Engine, hostAddress } from './engine.mjs';

export class ContainerWorld extends World {
  constructor(name) {
    super(name);
    this.cloudAddress = hostAddress;
    this.hostname = 'edge-gateway';  // edgeHub's alias on the network
    this.hubEnv = {};
    this.startLimit = 120;  // a container is far more work than a process, on a busy machine above all
    this.engine = new Engine();
    this.ledgers = path.join(this.root, 'ledgers');
    fs.mkdirSync(this.ledgers);
  }
  async startEngine() {
    await this.engine.start();
    this.engine.packageImages();
    await this.engine.makeImages({ 'skerry/sensor': ['/bin/sensor'], 'skerry/filter': ['/bin/filter'] });
  }
  engineConfig() { return ['[moby_runtime]', `uri = "unix://${this.engine.socket}"`, 'network = "azure-iot-edge"']; }

  ledger(name) { return path.join(this.ledgers, `${name}.ledger`); }
  // A module that writes its ledger.
  accountant(image, name) {
    const module = this.module(image, { env: { SKERRY_LEDGER: `/ledgers/${name}.ledger` } });
    module.settings.createOptions = JSON.stringify({ HostConfig: { Binds: [`${this.ledgers}:/ledgers`] } });
    return module;
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
