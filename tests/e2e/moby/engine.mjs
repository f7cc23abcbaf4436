// A dockerd and a registry of the test's own: their folders, their sockets, images from scratch. Runs in in_engine.

import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { repository, until } from '../world.mjs';

// The address of the host on docker0, for what listens on the host and is asked by containers.
export const hostAddress = '172.30.0.1';
export const registryAddress = '127.0.0.1:5000';
export const credentials = { username: 'puller', password: 'let-me-in' };
const passwords = 'puller:$2b$04$G014.2KZHr4aVB8KfICc0.GRkRxdzi68gRl2YP1NkltfyL7Hv9oCm\n';

const exited = (child) => (child.exitCode !== null || child.signalCode !== null
  ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve)));

async function end(child, seconds) {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  await exited(child);
  clearTimeout(late);
}

export class Engine {
  constructor() {
    const data = process.env.SKERRY_ENGINE_DATA;
    if (!data) throw new Error('run this in tests/e2e/moby/in_engine');
    this.data = fs.mkdtempSync(path.join(data, 'e'));
    this.run = fs.mkdtempSync(path.join(os.tmpdir(), 'skerry-moby-'));
    this.socket = path.join(this.run, 'docker.sock');
    this.log = path.join(this.run, 'dockerd.log');
  }

  spawn(program, args, log) {
    const out = fs.openSync(log, 'a');
    const child = spawn(program, args, { stdio: ['ignore', out, out] });
    fs.closeSync(out);
    return child;
  }

  async start() {
    const config = path.join(this.run, 'daemon.json');  // ours, not the machine's
    fs.writeFileSync(config, '{}');
    this.daemon = this.spawn('dockerd', ['--data-root', path.join(this.data, 'docker'), '--exec-root',
      path.join(this.run, 'exec'), '--pidfile', path.join(this.run, 'pid'), '-H', `unix://${this.socket}`,
      '--config-file', config, '--log-level', 'warn', '--iptables=false', '--ip-masq=false', '--bip',
      `${hostAddress}/24`, '--cgroup-parent', `/${process.env.SKERRY_ENGINE_GROUP}`], this.log);
    try {
      await until('dockerd answers', async () => {
        if (this.daemon.exitCode !== null) return true;
        return (await this.request('GET', '/_ping')).status === 200;
      }, 60);
    } catch (error) {
      throw new Error(`${error.message}\n${this.story()}`);
    }
    if (this.daemon.exitCode !== null) throw new Error(`dockerd can't start:\n${this.story()}`);
  }
  // Its containers end with it.
  async stop(signal = 'SIGTERM') {
    if (signal === 'SIGKILL') this.daemon.kill(signal);
    await end(this.daemon, 30);
  }
  // What a machine does not have any more after it was off: mounts, bridges, and what lies in /run.
  forgetBoot() {
    const mounts = fs.readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1])
      .filter((target) => target?.startsWith(`${this.run}/`) || target?.startsWith(`${this.data}/`)).reverse();
    for (const target of mounts) execFileSync('umount', ['-l', target]);
    for (const name of fs.readdirSync('/sys/class/net')) {
      if (/^(docker0|br-|veth)/.test(name)) {
        try { execFileSync('ip', ['link', 'del', name], { stdio: 'ignore' }); } catch { /* its container's end took it */ }
      }
    }
    for (const name of ['exec', 'pid', 'docker.sock']) fs.rmSync(path.join(this.run, name), { recursive: true, force: true });
  }
  story() { return fs.existsSync(this.log) ? fs.readFileSync(this.log, 'utf8').slice(-3000) : 'no log'; }

  async startRegistry() {
    const folder = path.join(this.data, 'registry');
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'passwords'), passwords);
    const config = path.join(folder, 'config.json');  // JSON is YAML
    fs.writeFileSync(config, JSON.stringify({ version: 0.1, log: { level: 'warn' }, http: { addr: registryAddress },
      storage: { filesystem: { rootdirectory: path.join(folder, 'data') } },
      auth: { htpasswd: { realm: 'test', path: path.join(folder, 'passwords') } } }));
    this.registry = this.spawn('docker-registry', ['serve', config], path.join(this.run, 'registry.log'));
    await until('the registry answers', () => new Promise((resolve, reject) => {
      http.get(`http://${registryAddress}/v2/`, (answer) => { answer.resume(); resolve(answer.statusCode === 401); })
        .on('error', reject);
    }));
  }
  async stopRegistry() { await end(this.registry, 5); }

  async close() {
    await this.stopRegistry();
    if (this.daemon) {
      await this.removeContainers().catch(() => { /* it does not run: its containers ended with it */ });
      await this.stop();
    }
    if (process.env.SKERRY_KEEP) return void console.error(`kept ${this.run}`);
    for (const folder of [this.run, this.data]) {
      // What a killed dockerd left mounted goes with in_engine's namespaces, and the files after them.
      try { fs.rmSync(folder, { recursive: true, force: true }); } catch { /* in_engine */ }
    }
  }
  async removeContainers() {
    const all = JSON.parse(await this.ask('GET', '/containers/json?all=true'));
    await Promise.all(all.map(({ Id }) => this.request('DELETE', `/containers/${Id}?force=true&v=true`)));
  }

  // {status, text}; `body` is an object, or a stream.
  request(method, target, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const stream = body && typeof body.pipe === 'function';
      const request = http.request({ socketPath: this.socket, path: target, method, timeout: 120000,
        headers: { ...(body ? { 'Content-Type': stream ? 'application/x-tar' : 'application/json' } : {}), ...headers } },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (piece) => { text += piece; });
        answer.on('end', () => resolve({ status: answer.statusCode, text }));
      });
      request.on('timeout', () => request.destroy(new Error(`${method} ${target}: dockerd says nothing`)));
      request.on('error', reject);
      if (stream) body.pipe(request);
      else request.end(body ? JSON.stringify(body) : undefined);
    });
  }
  async ask(method, target, body, headers) {
    const { status, text } = await this.request(method, target, body, headers);
    if (status >= 400 || /"errorDetail"/.test(text)) throw new Error(`${method} ${target}: ${status} ${text}`);
    return text && text.startsWith('{') && !/\}\r?\n\{/.test(text) ? JSON.parse(text) : text;
  }

  inspect(name) { return this.ask('GET', `/containers/${name}/json`); }
  // What can't change without a restart: name -> "container, moment of its start, process".
  async lives(names) {
    return Object.fromEntries(await Promise.all(names.map(async (name) => {
      const { Id, State } = await this.inspect(name);
      return [name, `${Id} ${State.StartedAt} ${State.Pid}`];
    })));
  }
  // Notes what happens to containers from now on, as "name action"; the engine itself remembers few events.
  watch(...actions) {
    const seen = [];
    const target = `/events?${new URLSearchParams({ filters: JSON.stringify({ type: ['container'], event: actions }) })}`;
    return new Promise((resolve, reject) => {
      const request = http.request({ socketPath: this.socket, path: target }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('error', () => {}).on('data', (piece) => {
          const lines = (text + piece).split('\n');
          text = lines.pop();
          for (const { Action, Actor } of lines.map((line) => JSON.parse(line))) {
            seen.push(`${Actor.Attributes.name} ${Action}`);
          }
        });
        resolve({ seen, close: () => request.destroy() });
      });
      request.on('error', reject);
      request.end();
    });
  }
  tag(image, repo, tag) {
    return this.ask('POST', `/images/${image}/tag?${new URLSearchParams({ repo, tag })}`);
  }

  // Images with the sample modules, a shell and what they are linked with; all share one layer.
  async makeImages(names) {
    const products = path.join(repository, 'build/release');
    await this.importImage('skerry/base', { programs: { '/bin/sh': '/bin/sh', '/bin/sleep': '/bin/sleep',
      '/bin/cat': '/bin/cat', '/bin/sensor': path.join(products, 'modules/sensor'),
      '/bin/filter': path.join(products, 'modules/filter') } });
    for (const [name, entrypoint] of Object.entries(names)) await this.makeImage(name, entrypoint);
  }
  // An image from scratch. `programs`: {path in it: file here}, with what they are linked with; `files` likewise, as is.
  async importImage(name, { programs, files = {}, entrypoint }) {
    const root = path.join(this.data, `root-${name.replace('/', '-')}`);
    for (const folder of ['bin', 'tmp', 'etc', 'var/run', 'var/lib']) {
      fs.mkdirSync(path.join(root, folder), { recursive: true });
    }
    const place = (from, to) => {
      if (fs.existsSync(path.join(root, to))) return;
      fs.mkdirSync(path.dirname(path.join(root, to)), { recursive: true });
      fs.copyFileSync(fs.realpathSync(from), path.join(root, to));
    };
    for (const [to, from] of Object.entries(programs)) {
      place(from, to);
      execFileSync('strip', ['-s', path.join(root, to)]);
      const linked = execFileSync('ldd', [from], { encoding: 'utf8' });
      for (const [, library] of linked.matchAll(/(\/\S+) \(0x/g)) place(library, library);
    }
    for (const [to, from] of Object.entries(files)) place(from, to);
    const tar = spawn('tar', ['-C', root, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const changes = entrypoint ? { changes: `ENTRYPOINT ${JSON.stringify(entrypoint)}` } : {};
    await this.ask('POST', `/images/create?${new URLSearchParams({ fromSrc: '-', repo: name, tag: 'latest', ...changes })}`,
      tar.stdout);
  }
  // skerry/agent and skerry/hub as they are packaged. Returns what the script says.
  packageImages() {
    return execFileSync(path.join(repository, 'packaging/images'), { encoding: 'utf8',
      env: { ...process.env, DOCKER_HOST: `unix://${this.socket}` } });
  }
  // `more`: what else its configuration says. `bytes`: that many random ones in a layer of its own.
  async makeImage(name, entrypoint, more = {}, bytes = 0) {
    const { Id } = await this.ask('POST', '/containers/create',
      { Image: 'skerry/base:latest', Entrypoint: entrypoint, ...more });
    if (bytes) await this.addFile(Id, crypto.randomBytes(bytes));
    const [repo, tag = 'latest'] = name.split(/:(?=[^/]*$)/);
    await this.ask('POST', `/commit?${new URLSearchParams({ container: Id, repo, tag })}`, {});  // Podman wants a body
    await this.ask('DELETE', `/containers/${Id}`);
  }
  async addFile(container, content) {
    const folder = fs.mkdtempSync(path.join(this.data, 'file'));
    fs.writeFileSync(path.join(folder, 'content'), content);
    const tar = spawn('tar', ['-C', folder, '-c', 'content'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await this.ask('PUT', `/containers/${container}/archive?path=/`, tar.stdout);
    fs.rmSync(folder, { recursive: true });
  }
  // Into the registry, and away from the engine: the next pull has to ask for it.
  async publish(image, entrypoint, { address = registryAddress, bytes = 0 } = {}) {
    const name = `${address}/${image}`;
    await this.makeImage(name, entrypoint, {}, bytes);
    const auth = Buffer.from(JSON.stringify({ ...credentials, serveraddress: address })).toString('base64');
    const [repo, tag] = name.split(/:(?=[^/]*$)/);
    await this.ask('POST', `/images/${repo}/push?tag=${tag}`, undefined, { 'X-Registry-Auth': auth });
    await this.ask('DELETE', `/images/${name}?force=true`);
    return name;
  }
}
