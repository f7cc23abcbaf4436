// A whole runtime for one test: its own folder, cloud, daemon, bundles and deployment, driven as a user would drive it.
// Runs inside a network namespace of its own (tests/e2e/in_world), so the fixed ports are free.

import { spawn, execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const repository = path.resolve(here, '../..');
export const skerry = path.join(repository, 'build/release/skerry');
const samples = path.join(repository, 'build/release/modules');

export const cloudAddress = '127.0.0.11';
export const hubAddress = '127.0.0.12';
export const long = process.env.SKERRY_TEST_LONG === '1';

// Waits until `probe` returns something truthy, and returns it. For states that no event announces to an outsider.
export async function until(what, probe, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}${last ? ` (${last.message})` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function ended(child) {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', resolve));
}

export class World {
  // `above`: the world of the edge device that this one is a child of; the cloud is that one's, too.
  constructor(name, { above, device = 'edge-1', address = hubAddress } = {}) {
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), `skerry-${name}-`));
    this.above = above;
    this.below = [];
    this.cloudData = above ? above.cloudData : path.join(this.root, 'cloud');
    this.bundles = path.join(this.root, 'bundles');
    this.management = path.join(this.root, 'mgmt.sock');
    this.daemonSettings = [];  // lines of [skerry] in config.toml
    this.programs = {};  // by role, other than the one of the release build
    this.device = device;
    this.cloudAddress = cloudAddress;
    this.hostname = address;
    this.startLimit = 30;  // seconds, for modules to run
    this.hubEnv = { SKERRY_LISTEN: { value: address } };
    this.bundle('skerry/agent', [skerry, 'agent']);
    this.bundle('skerry/hub', [skerry, 'hub']);
    this.bundle('skerry/sensor', [path.join(samples, 'sensor')]);
    this.bundle('skerry/filter', [path.join(samples, 'filter')]);
  }

  // A child edge device with a daemon of its own, on another loopback address; closed with this world.
  addBelow(device, address) {
    const child = new World(device, { above: this, device, address });
    this.below.push(child);
    return child;
  }

  bundle(image, entrypoint, env = []) {
    const folder = path.join(this.bundles, image);
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'config.json'),
      JSON.stringify({ config: { Entrypoint: entrypoint, Env: env } }));
  }

  // A module of tests/e2e/modules as a bundle.
  nodeBundle(image, file) {
    this.bundle(image, [process.execPath, path.join(here, 'modules', file)]);
  }

  log(role) { return path.join(this.root, `${role}.log`); }
  ledger(name) { return path.join(this.root, `${name}.ledger`); }

  start(role, args) {
    const out = fs.openSync(this.log(role), 'a');
    const child = spawn(this.programs[role] ?? skerry, args, { stdio: ['ignore', out, out], detached: false });
    fs.closeSync(out);
    return child;
  }

  cli(...args) {
    return execFileSync(skerry, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 30000,
      maxBuffer: 1 << 28 });
  }
  cloudCli(...args) { return this.cli('cloud', ...args, '--data', this.cloudData); }

  // The same without waiting: resolves with the output.
  cloudCliLater(...args) {
    return new Promise((resolve, reject) => {
      execFile(skerry, ['cloud', ...args, '--data', this.cloudData], { encoding: 'utf8', timeout: 30000 },
        (error, out, told) => (error ? reject(new Error(`${error.message} ${told}`)) : resolve(out)));
    });
  }

  async startCloud(more = []) {
    this.cloud = this.start('cloud',
      ['cloud', 'serve', '--data', this.cloudData, '--listen', this.cloudAddress, '--hostname', this.cloudAddress, ...more]);
    await until('the cloud answers', () => this.info());
  }
  async stopCloud(signal = 'SIGTERM') {
    this.cloud.kill(signal);
    await ended(this.cloud);
  }
  info() { return JSON.parse(this.cloudCli('info')); }

  // Runs a scenario of tests/e2e/service.mjs in a process that trusts this cloud, as NODE_EXTRA_CA_CERTS makes it.
  service(scenario) {
    const { iothubowner, caCertificate } = this.info();
    return execFileSync(process.execPath, [path.join(here, 'service.mjs'), scenario], { encoding: 'utf8', timeout: 60000,
      env: { ...process.env, NODE_EXTRA_CA_CERTS: caCertificate, CONNECTION_STRING: iothubowner, NODE_TEST_CONTEXT: '' } });
  }

  // `authorities`: PEM of those whose devices the hub trusts, besides the cloud's.
  createDevice(authorities = '') {
    const parent = this.above ? ['--parent', this.above.device] : [];
    this.cloudCli('device', 'create', this.device, '--edge-enabled', ...parent);
    // A child speaks to its parent only, and trusts that one.
    const upstream = this.above ? this.above.edgeAuthority : this.info().caCertificate;
    const trusted = path.join(this.root, 'trusted.pem');
    fs.writeFileSync(trusted, fs.readFileSync(upstream, 'utf8') + authorities);
    const connection = this.cloudCli('device', 'connection-string', this.device).trim();
    fs.writeFileSync(path.join(this.root, 'config.toml'), [
      `hostname = "${this.hostname}"`,
      ...(this.above ? [`parent_hostname = "${this.above.hostname}"`] : []),
      `trust_bundle_cert = "file://${trusted}"`,
      '[provisioning]', 'source = "manual"', `connection_string = "${connection}"`,
      '[agent]', 'name = "edgeAgent"', 'type = "docker"',
      '[agent.config]', 'image = "skerry/agent:latest"',
      '[connect]', `management_uri = "unix://${this.management}"`,
      '[listen]', `management_uri = "unix://${this.management}"`,
      '[skerry]', 'agent_probation = "15s"', ...this.daemonSettings, `home = "${path.join(this.root, 'edge')}"`,
      ...this.engineConfig(),
    ].join('\n') + '\n');
  }

  // The end of config.toml: which engine runs the modules.
  engineConfig() { return ['[skerry.engine]', 'type = "process"', `bundles = "${this.bundles}"`]; }

  // A downstream device in this edge device's scope, behind its gateway.
  createLeaf(name, ...more) { this.cloudCli('device', 'create', name, '--parent', this.device, ...more); }
  // The authority of the hub's certificate, for its clients; needs the daemon.
  get edgeAuthority() { return path.join(this.root, 'edge', 'keys', 'edge-ca.pem'); }
  // A program of tests/e2e as that device, with a ledger of its name; needs the daemon.
  startLeaf(name, { program = 'leaf.mjs', env = {} } = {}) {
    const connection = this.cloudCli('device', 'connection-string', name).trim();
    const out = fs.openSync(this.log(name), 'a');
    const child = spawn(process.execPath, [path.join(here, program)], {
      stdio: ['ignore', out, out],
      env: { ...process.env, NODE_TEST_CONTEXT: '', LEDGER: this.ledger(name),
        NODE_EXTRA_CA_CERTS: this.edgeAuthority,
        CONNECTION_STRING: `${connection};GatewayHostName=${this.hostname}`, ...env },
    });
    fs.closeSync(out);
    return child;
  }

  async startDaemon() {
    this.daemon = this.start('daemon', ['daemon', '-c', path.join(this.root, 'config.toml')]);
    await until('the daemon answers', () => this.modules());
  }
  async killDaemon() {
    this.daemon.kill('SIGKILL');
    await ended(this.daemon);
  }

  // The deployment: routes and modules as given, agent and hub added. `desired`: what else edgeAgent's twin says.
  deploy({ routes, modules = {}, twins = {}, hubEnv = {}, hubOptions = {}, registryCredentials,
    desired: more = {} }) {
    const content = {
      $edgeAgent: { 'properties.desired': {
        schemaVersion: '1.1',
        runtime: { type: 'docker', settings: registryCredentials ? { registryCredentials } : {} },
        systemModules: {
          edgeAgent: { type: 'docker', settings: { image: 'skerry/agent:latest' } },
          edgeHub: { type: 'docker', status: 'running', restartPolicy: 'always', startupOrder: 0,
            settings: { image: 'skerry/hub:latest', createOptions: JSON.stringify(hubOptions) },
            env: { ...this.hubEnv, ...hubEnv } },
        },
        modules,
        ...more,
      } },
      $edgeHub: { 'properties.desired': {
        schemaVersion: '1.1', routes, storeAndForwardConfiguration: { timeToLiveSecs: 7200 } } },
    };
    for (const [name, desired] of Object.entries(twins)) content[name] = { 'properties.desired': desired };
    this.deployContent({ modulesContent: content });
  }
  deployContent(content) {
    const file = path.join(this.root, 'deployment.json');
    fs.writeFileSync(file, JSON.stringify(content));
    this.cloudCli('deploy', file, '--device', this.device);
  }

  module(image, extra = {}) {
    const { env = {}, ...rest } = extra;
    return { type: 'docker', status: 'running', restartPolicy: 'always', settings: { image: `${image}:latest` },
      env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, { value }])), ...rest };
  }

  // A service's REST call, over the cloud's admin socket.
  cloudRequest(method, target, body = '', headers = {}) {
    return this.httpRequest({ socketPath: path.join(this.cloudData, 'admin.sock'), path: target, method, headers }, body);
  }
  httpRequest(options, body = '') {
    return new Promise((resolve, reject) => {
      const request = http.request({ timeout: 10000, ...options }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece) => { text += piece; });
        response.on('end', () => resolve({ status: response.statusCode, body: text, etag: response.headers.etag }));
      });
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', reject);
      request.end(body);
    });
  }

  request(method, target) {
    return new Promise((resolve, reject) => {
      const request = http.request({ socketPath: this.management, path: `${target}?api-version=2022-08-03`, method,
        timeout: 10000 }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (piece) => { body += piece; });
        response.on('end', () => resolve({ status: response.statusCode, body: body ? JSON.parse(body) : null }));
      });
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', reject);
      request.end();
    });
  }
  // By name: {status, …}.
  async modules() {
    const { body } = await this.request('GET', '/modules');
    return Object.fromEntries(body.modules.map((module) => [module.name, {
      ...module, state: module.status.runtimeStatus.status, description: module.status.runtimeStatus.description }]));
  }
  async untilRunning(...names) {
    await until(`${names.join(', ')} run`, async () => {
      const modules = await this.modules();
      return names.every((name) => modules[name]?.state === 'running');
    }, this.startLimit);
  }

  // A running hub listens a moment later.
  async untilHubListens() {
    await this.untilRunning('edgeAgent', 'edgeHub');
    await until('the hub listens', () => this.moduleLog('edgeHub').includes('Started MQTT head'), 30);
  }

  // Processes of this world whose command line ends with `word` ("hub", "agent", "…/sensor").
  pids(word) {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        const args = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
        if (args[1] === 'module-shim' || !args.length || !args.at(-1).endsWith(word)) return false;
        return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.root);
      } catch {
        return false;
      }
    });
  }
  pid(word) {
    const found = this.pids(word);
    if (found.length !== 1) throw new Error(`${found.length} processes of ${word}`);
    return found[0];
  }

  // Every event in the cloud's log, or those of one module.
  events(module) {
    const text = this.cloudCli('events', '--json', '--from-start');
    const events = text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
      .map((event) => ({ ...event, messageId: event.systemProperties['message-id'] }));
    return module ? events.filter((event) => event.moduleId === module) : events;
  }
  lines(ledger, verb) {
    const file = this.ledger(ledger);
    if (!fs.existsSync(file)) return [];
    return fs.readFileSync(file, 'utf8').split('\n').filter((line) => line.startsWith(`${verb} `))
      .map((line) => line.slice(verb.length + 1));
  }

  updateTwin(module, desired) {
    this.cloudCli('twin', 'update', this.device, module, JSON.stringify({ properties: { desired } }));
  }
  twin(module) { return JSON.parse(this.cloudCli('twin', 'show', this.device, ...(module ? [module] : []))); }

  // Everything off the power at once: daemon, shims, modules. The cloud stays as it is.
  async powerOff() {
    if (this.daemon) this.daemon.kill('SIGKILL');
    const mine = () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      if (pid === process.pid || pid === this.cloud?.pid) return false;
      try {
        // A module's shim says nothing of its world; but this network namespace has only one world at a time.
        const here = fs.readlinkSync(`/proc/${pid}/ns/net`) === fs.readlinkSync('/proc/self/ns/net');
        if (here && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('module-shim')) return true;
        return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.root) ||
          fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.root);
      } catch {
        return false;
      }
    });
    for (const pid of mine()) {
      try { process.kill(pid, 'SIGKILL'); } catch { /* ended meanwhile */ }
    }
    await until('every process of the runtime is gone', () => mine().length === 0 || mine().every((pid) => {
      try { process.kill(pid, 'SIGKILL'); } catch { /* ended meanwhile */ }
      return false;
    }));
  }

  async close() {
    for (const child of this.below) await child.close();
    await this.powerOff();
    if (this.cloud) await this.stopCloud('SIGKILL');
    if (process.env.SKERRY_KEEP) console.error(`kept ${this.root}`);
    else fs.rmSync(this.root, { recursive: true, force: true });
  }

  // What the module has written; `options` are those of `skerry logs`.
  moduleLog(name, ...options) { return this.cli('logs', name, ...options, '-H', `unix://${this.management}`); }

  // For the message of a failed assertion: the ends of all logs.
  async story() {
    let text = '';
    for (const role of ['cloud', 'daemon']) {
      if (fs.existsSync(this.log(role))) text += `--- ${role}\n${fs.readFileSync(this.log(role), 'utf8').slice(-3000)}\n`;
    }
    for (const name of ['edgeAgent', 'edgeHub', 'sensor', 'filter', 'relay', 'caller']) {
      try {
        text += `--- ${name}\n${this.moduleLog(name, '--tail', '40')}\n`;
      } catch { /* no such module, or no daemon */ }
    }
    for (const child of this.below) text += `=== ${child.device}, below\n${await child.story()}`;
    return text;
  }
}

// Everything that the sensor's ledger says was sent by now arrives, whatever happened meanwhile; but what a filter that
// has just started drops, as long as it does not know its threshold.
export async function untilAllArrived(world, more) {
  const enough = world.lines('sensor', 'sent').length + more;
  await until('the sensor goes on', () => world.lines('sensor', 'sent').length >= enough, 120);
  const sent = world.lines('sensor', 'sent');
  await until('all that was sent is in the cloud', () => {
    const known = new Set([...world.events('filter').map(({ messageId }) => messageId), ...world.lines('filter', 'dropped')]);
    return sent.every((id) => known.has(id));
  }, 120);
}

// Runs `body` with a world and tears it down; a failure carries the logs.
export async function withWorld(name, body) {
  const world = new World(name);
  try {
    await body(world);
  } catch (error) {
    error.message += `\n${await world.story()}`;
    throw error;
  } finally {
    await world.close();
  }
}

export const sensorToCloud = 'FROM /messages/modules/sensor/outputs/temperatureOutput INTO $upstream';
export const sensorToFilter =
  'FROM /messages/modules/sensor/outputs/temperatureOutput INTO BrokeredEndpoint("/modules/filter/inputs/input1")';
export const filterToCloud = 'FROM /messages/modules/filter/outputs/output1 INTO $upstream';
