// Podman's compatible service in place of dockerd, with folders and settings of the test's own.
import fs from 'node:fs';
import path from 'node:path';
import { until } from '../world.mjs';
import { Engine, registryAddress } from './engine.mjs';

export class Podman extends Engine {
  async start() {
    const file = (name, text) => {
      const place = path.join(this.run, name);
      fs.writeFileSync(place, text);
      return place;
    };
    Object.assign(process.env, {
      SKERRY_MOBY_PODMAN: '1',
      CONTAINERS_REGISTRIES_CONF: file('registries.conf',
        `unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "${registryAddress}"\ninsecure = true\n`),
      CONTAINERS_CONF: file('containers.conf', [
        '[containers]', 'log_driver = "k8s-file"', 'cgroups = "enabled"',
        '[engine]', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"', 'runtime = "runc"',
        `tmp_dir = "${path.join(this.run, 'tmp')}"`,
        '[network]', 'network_backend = "netavark"', `network_config_dir = "${path.join(this.run, 'networks')}"`].join('\n')),
    });
    this.daemon = this.spawn('podman', ['--root', path.join(this.data, 'podman'), '--runroot', path.join(this.run, 'run'),
      '--storage-driver', 'vfs', '--log-level', 'warn', 'system', 'service', '--time', '0', `unix://${this.socket}`], this.log);
    try {
      await until('podman answers', async () => {
        if (this.daemon.exitCode !== null) return true;
        return (await this.request('GET', '/_ping')).status === 200;
      }, 60);
    } catch (error) {
      throw new Error(`${error.message}\n${this.story()}`);
    }
    if (this.daemon.exitCode !== null) throw new Error(`podman can't start:\n${this.story()}`);
  }
}
