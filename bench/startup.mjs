// From the request to start the hub to the first accepted CONNECT (CONNACK 0) of a client that the hub knows, with the
// daemon up: first ever start (empty state folder) and starts with an existing one. The client dials without pause.
// Contains what the daemon needs to start a process, so it is an upper bound of "from exec to CONNACK".
import crypto from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import fs from 'node:fs';
import path from 'node:path';
import { World, until, hubAddress, cloudAddress } from '../tests/e2e/world.mjs';

const rounds = Number(process.env.SKERRY_ROUNDS ?? 10);
const world = new World('startup');

function sas(resource, key) {
  const expiry = Math.floor(Date.now() / 1000) + 3600;
  const encoded = encodeURIComponent(resource);
  const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${encoded}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}
const field = (text) => Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), Buffer.from(text)]);
function connectPacket(id, password) {
  const body = Buffer.concat([field('MQTT'), Buffer.from([4, 0xc2, 0, 60]), field(id),
    field(`${cloudAddress}/${id}/?api-version=2021-04-12`), field(password)]);
  const length = [];
  for (let rest = body.length; ; rest >>= 7) {
    if (rest < 128) { length.push(rest); break; }
    length.push((rest & 127) | 128);
  }
  return Buffer.concat([Buffer.from([0x10, ...length]), body]);
}

// Dials until a CONNACK comes; resolves with its code.
function firstConnack(packet) {
  return new Promise((resolve) => {
    const attempt = () => {
      const plain = net.connect(8883, hubAddress);
      plain.on('error', () => setImmediate(attempt));
      plain.on('connect', () => {
        const socket = tls.connect({ socket: plain, rejectUnauthorized: false }, () => socket.write(packet));
        socket.on('data', (bytes) => { socket.destroy(); resolve(bytes[3]); });
        socket.on('error', () => setImmediate(attempt));
      });
    };
    attempt();
  });
}
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

try {
  await world.startCloud();
  world.createDevice();
  world.cloudCli('device', 'create', 'leaf', '--parent', world.device);
  const key = /SharedAccessKey=([^;]+)/.exec(world.cloudCli('device', 'connection-string', 'leaf'))[1].trim();
  const packet = connectPacket('leaf', sas(`${cloudAddress}/devices/leaf`, key));
  world.deploy({ routes: { all: 'FROM /messages/* INTO $upstream' } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub');
  if (await firstConnack(packet) !== 0) throw new Error('the client is refused');

  // The agent would start the hub, too: freeze it meanwhile.
  process.kill(world.pid('agent'), 'SIGSTOP');
  const start = async () => {
    await world.request('POST', '/modules/edgeHub/stop');
    await until('the hub is gone', () => world.pids('hub').length === 0);
    const begin = performance.now();
    const connack = firstConnack(packet);
    const { status } = await world.request('POST', '/modules/edgeHub/start');
    const code = await connack;
    if (status !== 204 || code !== 0) throw new Error(`start ${status}, CONNACK ${code}`);
    return performance.now() - begin;
  };
  const warm = [];
  for (let round = 0; round < rounds; ++round) warm.push(await start());
  console.log(`existing state folder: median ${median(warm).toFixed(0)} ms, worst ${Math.max(...warm).toFixed(0)} ms of ${rounds} (target: under 100 ms)`);

  await world.request('POST', '/modules/edgeHub/stop');
  const stores = fs.readdirSync(path.join(world.root, 'edge'), { recursive: true }).filter((name) => path.basename(name) === 'edgeHub')
    .map((name) => path.join(world.root, 'edge', name)).filter((name) => fs.statSync(name).isDirectory());
  for (const store of stores) for (const name of fs.readdirSync(store)) if (/queue|\.db|\.sqlite/.test(name)) fs.rmSync(path.join(store, name), { recursive: true });
  console.log(`first start ever (empty state folder, configuration and identities from the cloud): ${(await start()).toFixed(0)} ms`);
  process.kill(world.pid('agent'), 'SIGCONT');
} finally {
  await world.close();
}
