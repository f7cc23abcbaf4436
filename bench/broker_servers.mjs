// The servers that bench/brokers.mjs compares: Skerry's hub as users run it, and Debian's mosquitto with its own
// configuration, folder and ports. All state lies below build/, on the file system of the repository.
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { World, until, repository, hubAddress, cloudAddress } from '../tests/e2e/world.mjs';

export const generator = path.join(repository, 'build/release/skerry-load');
const scratch = path.join(repository, 'build/bench');
fs.mkdirSync(scratch, { recursive: true });
process.env.TMPDIR = scratch; // worlds are made below it

// The same topics for both, so of equal length.
export const topic = 'devices/edge-1/modules/pub-{n}/messages/events/%24.on=out&class=a';
const plainPort = 18831;

const readProc = (pid, file) => fs.readFileSync(`/proc/${pid}/${file}`, 'utf8');
const kilobytes = (text, field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)[1]);

// What a process has used so far.
export function usage(pid) {
  const fields = readProc(pid, 'stat').split(') ')[1].split(' ');
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
    written: kilobytes(readProc(pid, 'io'), 'write_bytes'),
  };
}
export const pssKilobytes = (pid) => kilobytes(readProc(pid, 'smaps_rollup'), 'Pss');
export const rssKilobytes = (pid) => kilobytes(readProc(pid, 'smaps_rollup'), 'Rss');

// Resolves with the milliseconds until a CONNECT without credentials gets an answer of any kind on a plain port.
async function untilAnswered(host, port, packet, begin) {
  for (;;) {
    const answered = await new Promise((resolve) => {
      const socket = net.connect(port, host);
      socket.on('error', () => resolve(false));
      socket.on('close', () => resolve(false));
      socket.on('connect', () => socket.write(packet));
      socket.on('data', (bytes) => { socket.destroy(); resolve(bytes[0] === 0x20 && bytes[3] === 0); });
    });
    if (answered) return performance.now() - begin;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const field = (text) => Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), Buffer.from(text)]);
function connectPacket({ id, user, password }) {
  const body = Buffer.concat([field('MQTT'), Buffer.from([4, 0xc0, 0, 60]), field(id), field(user), field(password)]);
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return Buffer.concat([Buffer.from([0x10, ...length]), body]);
}

function sas(resource, key) {
  const expiry = Math.floor(Date.now() / 1000) + 7 * 24 * 3600;
  const encoded = encodeURIComponent(resource);
  const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${encoded}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}

const writeAccounts = (file, accounts) =>
  fs.writeFileSync(file, accounts.map(({ id, user, password }) => `${id}\t${user}\t${password}\n`).join(''));

export class Skerry {
  // `env`: more of the hub's environment.
  constructor(env = {}) {
    this.env = env;
    this.name = 'skerry';
    this.filter = 'devices/edge-1/modules/sub/inputs/#';
    this.plain = ['--host', '127.0.0.1', '--port', String(plainPort)];
    this.tls = ['--host', hubAddress, '--port', '8883', '--tls'];
  }

  async start(publishers) {
    const world = this.world = new World('hub');
    await world.startCloud();
    world.createDevice();
    const modules = [...Array(publishers).keys()].map((n) => `pub-${n}`).concat('sub');
    for (const name of modules) world.cloudCli('module', 'create', world.device, name);
    const key = /SharedAccessKey=([^;]+)/.exec(world.cloudCli('device', 'connection-string', world.device))[1].trim();
    this.accounts = modules.map((name) => ({
      id: `${world.device}/${name}`,
      user: `${cloudAddress}/${world.device}/${name}/?api-version=2021-04-12`,
      password: sas(`${cloudAddress}/devices/${world.device}/modules/${name}`, key),
    }));
    world.deploy({
      routes: { all: `FROM /messages/modules/* WHERE class = 'a' INTO BrokeredEndpoint("/modules/sub/inputs/in")` },
      hubEnv: Object.fromEntries(Object.entries({
        SKERRY_MQTT_PLAIN_LISTEN: `127.0.0.1:${plainPort}`,
        MaxConnectedClients: '2000',
        ...this.env,
      }).map(([name, value]) => [name, { value }])),
    });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub');
    await untilAnswered('127.0.0.1', plainPort, connectPacket(this.accounts[0]), performance.now());
  }
  pid() { return this.world.pid('hub'); }

  // Downstream devices below this one, as the hub's scope knows them at its next start; resolves with their accounts.
  async createLeaves(count) {
    const { world } = this;
    const { deviceScope } = JSON.parse((await world.cloudRequest('GET', `/devices/${world.device}?api-version=2021-04-12`)).body);
    const key = crypto.randomBytes(32).toString('base64');
    const names = [...Array(count).keys()].map((n) => `leaf-${n}`);
    for (const deviceId of names) {
      const { status, body } = await world.cloudRequest('PUT', `/devices/${deviceId}?api-version=2021-04-12`, JSON.stringify(
        { deviceId, deviceScope, authentication: { type: 'sas', symmetricKey: { primaryKey: key, secondaryKey: key } } }),
      { 'Content-Type': 'application/json' });
      if (status !== 200) throw new Error(`${deviceId}: ${status} ${body}`);
    }
    await this.restart();
    await until('the hub knows them', () => {
      const told = [...world.moduleLog('edgeHub').matchAll(/Device scope refreshed: (\d+) identities/g)];
      return told.some(([, known]) => Number(known) > count);
    }, 120);
    return names.map((id) => ({ id, user: `${cloudAddress}/${id}/?api-version=2021-04-12`,
      password: sas(`${cloudAddress}/devices/${id}`, key) }));
  }

  // Milliseconds from the request to start the process to the first admitted client.
  async restart() {
    process.kill(this.world.pid('agent'), 'SIGSTOP'); // it would start the hub, too
    await this.world.request('POST', '/modules/edgeHub/stop');
    await until('the hub is gone', () => this.world.pids('hub').length === 0);
    const begin = performance.now();
    const answered = untilAnswered('127.0.0.1', plainPort, connectPacket(this.accounts[0]), begin);
    await this.world.request('POST', '/modules/edgeHub/start');
    const took = await answered;
    process.kill(this.world.pid('agent'), 'SIGCONT');
    return took;
  }
  async stop() { if (this.world) await this.world.close(); }
}

export class Mosquitto {
  constructor(persistence, port) {
    this.persistence = persistence;
    this.name = persistence ? 'mosquitto, persistence' : 'mosquitto';
    this.port = port;
    this.filter = 'devices/edge-1/modules/+/messages/events/#';
    this.plain = ['--host', '127.0.0.1', '--port', String(port)];
    this.tls = ['--host', '127.0.0.1', '--port', String(port + 1), '--tls'];
  }

  async start() {
    this.folder = fs.mkdtempSync(path.join(scratch, 'mosquitto-'));
    const file = (name) => path.join(this.folder, name);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '7',
      '-keyout', file('key.pem'), '-out', file('cert.pem'), '-subj', '/CN=127.0.0.1'], { stdio: 'ignore' });
    fs.writeFileSync(file('mosquitto.conf'), [
      'user root', 'allow_anonymous true', 'max_inflight_messages 100', 'max_queued_messages 0',
      `persistence ${this.persistence}`, `persistence_location ${this.folder}/`, 'log_dest none',
      `listener ${this.port} 127.0.0.1`,
      `listener ${this.port + 1} 127.0.0.1`, `certfile ${file('cert.pem')}`, `keyfile ${file('key.pem')}`,
    ].join('\n') + '\n');
    this.accounts = [{ id: 'probe', user: 'probe', password: 'probe' }];
    await this.launch();
  }
  launch() {
    const begin = performance.now();
    this.process = spawn('/usr/sbin/mosquitto', ['-c', path.join(this.folder, 'mosquitto.conf')], { stdio: 'ignore' });
    return untilAnswered('127.0.0.1', this.port, connectPacket(this.accounts[0]), begin);
  }
  pid() { return this.process.pid; }
  async end() {
    if (!this.process || this.process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await ended;
  }
  async restart() {
    await this.end();
    return this.launch();
  }
  async stop() {
    await this.end();
    if (this.folder) fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

// One run of the generator against a server: its JSON, with what the server used meanwhile.
export function load(server, transport, args, accounts, during) {
  const file = path.join(scratch, `accounts-${process.pid}`);
  writeAccounts(file, accounts);
  const pid = server.pid();
  const before = usage(pid);
  return new Promise((resolve, reject) => {
    const child = spawn(generator, [...server[transport], '--accounts', file, '--topic', topic, '--filter', server.filter,
      ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let told = '';
    child.stdout.on('data', (bytes) => { out += bytes; });
    child.stderr.on('data', (bytes) => {
      told += bytes;
      if (during && /holding/.test(told)) { during(pid); during = undefined; }
    });
    child.on('error', reject);
    child.on('close', () => {
      fs.rmSync(file, { force: true });
      const after = usage(pid);
      try {
        resolve({ ...JSON.parse(out), serverCpu: after.cpu - before.cpu, serverWritten: after.written - before.written });
      } catch {
        reject(new Error(`${server.name}: ${args.join(' ')}: ${told}`));
      }
    });
  });
}
