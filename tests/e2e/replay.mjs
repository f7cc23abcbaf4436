// Replays what an SDK sends over MQTT, step by step, and checks what the hub answers (tests/conformance/README.md).
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import tls from 'node:tls';
import packets from 'mqtt-packet';
import { until, hubAddress, cloudAddress } from './world.mjs';

export function sasToken(resource, key, seconds = 3600) {
  const expiry = Math.floor(Date.now() / 1000) + seconds;
  const encoded = encodeURIComponent(resource);
  const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${encoded}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}

// One connection: packets go out as the SDK makes them, packets come in in order.
class Wire {
  constructor() {
    this.inbox = [];
    this.waiting = [];
    const parser = packets.parser();
    parser.on('packet', (packet) => {
      if (packet.cmd === 'publish' && packet.qos === 1) this.send({ cmd: 'puback', messageId: packet.messageId });
      this.inbox.push(packet);
      this.waiting.splice(0).forEach((wake) => wake());
    });
    this.open = new Promise((resolve, reject) => {
      this.socket = tls.connect({ host: hubAddress, port: 8883, rejectUnauthorized: false }, resolve);
      this.socket.on('error', reject);
    });
    this.socket.on('data', (bytes) => parser.parse(bytes));
    this.socket.on('close', () => { this.closed = true; this.waiting.splice(0).forEach((wake) => wake()); });
  }
  send(packet) { this.socket.write(packets.generate(packet)); }
  // The first packet that `matches`, taken out of the inbox.
  async take(what, matches) {
    const limit = Date.now() + 15000;
    for (;;) {
      const at = this.inbox.findIndex(matches);
      if (at >= 0) return this.inbox.splice(at, 1)[0];
      assert.ok(!this.closed, `the hub closed the connection before ${what}`);
      assert.ok(Date.now() < limit, `no ${what}; there is ${JSON.stringify(this.inbox)}`);
      await new Promise((resolve) => { this.waiting.push(resolve); setTimeout(resolve, 1000).unref(); });
    }
  }
}

const has = (packet, fields) => {
  if (!fields) return;
  const body = JSON.parse(packet.payload.toString());
  for (const field of fields) assert.ok(field in body, `'${field}' is in ${packet.payload}`);
};

export async function replay(world, { connect, steps }, { device, module, key }) {
  const names = { hub: cloudAddress, device, module };
  const fill = (text) => text.replace(/\{(hub|device|module)\}/g, (_, name) => names[name]);
  const wire = new Wire();
  await wire.open;
  wire.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: module ? `${device}/${module}` : device,
    clean: connect.clean, keepalive: connect.keepalive, username: fill(connect.username),
    password: sasToken(`${cloudAddress}/devices/${device}${module ? `/modules/${module}` : ''}`, key) });
  const admitted = await wire.take('CONNACK', (packet) => packet.cmd === 'connack');
  assert.equal(admitted.returnCode, 0);
  let messageId = 0;
  for (const step of steps) {
    messageId += 1;
    if (step.subscribe) {
      wire.send({ cmd: 'subscribe', messageId, subscriptions: step.subscribe.map(([topic, qos]) => ({ topic: fill(topic), qos })) });
      const answer = await wire.take('SUBACK', (packet) => packet.cmd === 'suback' && packet.messageId === messageId);
      assert.deepEqual(answer.granted, step.granted);
    } else if (step.publish) {
      wire.send({ cmd: 'publish', messageId, topic: fill(step.publish), qos: step.qos, payload: step.payload });
      if (step.qos) await wire.take('PUBACK', (packet) => packet.cmd === 'puback' && packet.messageId === messageId);
      if (step.answer) {
        const topic = fill(step.answer);
        has(await wire.take(topic, (packet) => packet.cmd === 'publish' && (packet.topic === topic || packet.topic.startsWith(`${topic}&`))), step.fields);
      }
      if (step.delivery) {
        const arrived = await wire.take(step.delivery, (packet) => packet.cmd === 'publish' && packet.topic.includes('/inputs/'));
        assert.equal(arrived.topic, fill(step.delivery));
        assert.equal(arrived.payload.toString(), step.payload);
        assert.equal(arrived.qos, 1);
      }
      if (step.event) {
        const event = await until(`the message of ${module ?? device} is in the cloud`, () => world.events()
          .find((one) => one.deviceId === device && one.moduleId === module));
        assert.equal(event.body, step.payload);
        const properties = { ...event.systemProperties, ...event.properties };
        for (const [name, value] of Object.entries(step.event)) assert.equal(properties[name], value, name);
      }
    } else if (step.cloudTwin) {
      world.cloudCli('twin', 'update', device, ...(module ? [module] : []), JSON.stringify({ properties: { desired: step.cloudTwin } }));
      has(await wire.take(step.delivery, (packet) => packet.cmd === 'publish' && packet.topic.startsWith(step.delivery)), step.fields);
    } else {
      const answer = world.cloudCliLater('method', 'invoke', device, ...(module ? [module] : []), step.cloudMethod, '{"a":1}', '--json');
      const call = await wire.take(step.delivery, (packet) => packet.cmd === 'publish' && packet.topic.startsWith(step.delivery));
      assert.equal(call.payload.toString(), '{"a":1}');
      wire.send({ cmd: 'publish', messageId, topic: step.respond + call.topic.slice(step.delivery.length), qos: 0, payload: '{"b":2}' });
      const { status, payload } = JSON.parse(await answer);
      assert.equal(status, 207);
      assert.deepEqual(payload, { b: 2 });
    }
  }
  wire.send({ cmd: 'disconnect' });
  wire.socket.end();
}
