// Bad input of every kind gets its answer, a log line, and harms nobody else.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import tls from 'node:tls';
import mqtt from 'mqtt';
import { withWorld, until, hubAddress, cloudAddress, sensorToCloud } from './world.mjs';

function sasToken(resource, key, seconds) {
  const expiry = Math.floor(Date.now() / 1000) + seconds;
  const encoded = encodeURIComponent(resource);
  const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${encoded}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}

// One connection attempt at the hub: the CONNACK code, and the client when it is 0.
function connect(world, { id = 'leaf-1', password, username, protocolVersion = 4 }) {
  return new Promise((resolve) => {
    const client = mqtt.connect(`mqtts://${hubAddress}:8883`, {
      clientId: id, username: username ?? `${cloudAddress}/${id}/?api-version=2021-04-12`, password, protocolVersion,
      rejectUnauthorized: false, reconnectPeriod: 0, connectTimeout: 15000, clean: true });
    client.once('connect', () => resolve({ code: 0, client }));
    client.once('error', (error) => { client.end(true); resolve({ code: error.code ?? error.message }); });
    client.once('close', () => resolve({ code: 'closed' }));
  });
}

// Raw bytes over TLS; resolves with what the hub answered until it closed.
function raw(bytes, address = hubAddress) {
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const socket = tls.connect({ host: address, port: 8883, rejectUnauthorized: false }, () => socket.write(bytes));
    socket.on('data', (piece) => { answer = Buffer.concat([answer, piece]); });
    socket.on('close', () => resolve(answer));
    socket.on('error', (error) => (error.code === 'ECONNRESET' ? resolve(answer) : reject(error)));
    socket.setTimeout(15000, () => { socket.destroy(); reject(new Error('the hub kept the connection')); });
  });
}

const closed = (client, what) => new Promise((resolve, reject) => {
  const limit = setTimeout(() => reject(new Error(`the hub kept the connection after ${what}`)), 15000);
  client.once('close', () => { clearTimeout(limit); resolve(); });
});

test('bad tokens, packets, topics and sizes are answered and harm nobody else', async () => {
  await withWorld('badinput', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.deploy({
      routes: { a: sensorToCloud, b: 'FROM /messages/* WHERE NOT is_defined($connectionModuleId) INTO $upstream' },
      modules: { sensor: world.module('skerry/sensor', { env: { SKERRY_LEDGER: world.ledger('sensor') } }) },
      twins: { sensor: { SendInterval: 0.05 } },
    });
    world.cloudCli('device', 'create', 'leaf-1', '--parent', world.device);
    const key = /SharedAccessKey=([^;]+)/.exec(world.cloudCli('device', 'connection-string', 'leaf-1'))[1].trim();
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor');
    await until('messages flow', () => world.lines('sensor', 'sent').length > 5, 30);
    const sensor = world.pid('sensor');
    const hub = world.pid('hub');

    const resource = `${cloudAddress}/devices/leaf-1`;
    const good = sasToken(resource, key, 3600);
    const hubLog = () => world.moduleLog('edgeHub');

    // Authentication
    assert.equal((await connect(world, { password: sasToken(resource, Buffer.from('wrong').toString('base64'), 3600) })).code, 5);
    assert.equal((await connect(world, { password: sasToken(resource, key, -3600) })).code, 5);
    assert.equal((await connect(world, { password: sasToken(`${cloudAddress}/devices/other`, key, 3600) })).code, 5);
    assert.equal((await connect(world, { id: 'nobody', password: good })).code, 5);
    assert.equal((await connect(world, { password: undefined })).code, 5);
    assert.equal((await connect(world, { password: good, username: 'no-slashes' })).code, 3);
    assert.match(hubLog(), /leaf-1.*expired/i);
    const accepted = await connect(world, { password: good });
    assert.equal(accepted.code, 0);
    accepted.client.end(true);

    // Packets
    assert.deepEqual([...await raw(Buffer.from('GET / HTTP/1.1\r\n\r\n'))], []);
    assert.deepEqual([...await raw(Buffer.from([0x10, 0x0c, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0]))].slice(0, 4), [0x20, 2, 0, 1]);
    assert.deepEqual([...await raw(Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff]))], []);
    // A PUBLISH that says it is longer than what comes, and noise.
    assert.deepEqual([...await raw(Buffer.from([0x32, 0xff, 0x7f, 0xa5, 0xa5]))], []);
    assert.deepEqual([...await raw(crypto.createHash('sha512').update('noise').digest())], []);

    // Topics and sizes: the connection is closed, with a line in the log.
    for (const topic of ['devices/other/messages/events/', 'no/such/topic', '$iothub/nothing/here', 'devices/leaf-1/messages/events/a=1=2']) {
      const { code, client } = await connect(world, { password: good });
      assert.equal(code, 0);
      client.publish(topic, 'x', { qos: 1 }, () => {});
      await closed(client, topic);
      client.end(true);
    }
    const { client: heavy } = await connect(world, { password: good });
    heavy.publish('devices/leaf-1/messages/events/', Buffer.alloc(300 * 1024), { qos: 1 }, () => {});
    await closed(heavy, 'a message of 300 KiB');
    heavy.end(true);
    const log = hubLog();
    assert.match(log, /no\/such\/topic/);
    assert.match(log, /other/);

    // Nothing else was affected.
    const { client: leaf } = await connect(world, { password: good });
    await new Promise((resolve, reject) => {
      leaf.publish('devices/leaf-1/messages/events/%24.mid=good-1', 'x', { qos: 1 }, (error) => (error ? reject(error) : resolve()));
    });
    leaf.end(true);
    await until('the good message arrives', () => world.events().some((event) => event.messageId === 'good-1'));
    assert.equal(world.pid('sensor'), sensor);
    assert.equal(world.pid('hub'), hub);
    const sent = world.lines('sensor', 'sent').length;
    await until('the sensor goes on', () => world.lines('sensor', 'sent').length > sent + 10);
  });
});
