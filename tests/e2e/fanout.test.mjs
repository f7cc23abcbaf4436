// One output, many consumers of the unmodified npm SDK; the hub goes away under them and they come back by themselves.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withWorld, until } from './world.mjs';

const from = 'FROM /messages/modules/sensor/outputs/temperatureOutput INTO';
const relays = ['relay-1', 'relay-2', 'relay-3'];

test('an output reaches every input and the cloud, also when the hub is killed: SDK modules reconnect, nothing is lost', async () => {
  await withWorld('fanout', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.nodeBundle('test/relay', 'relay.mjs');
    world.deploy({
      routes: {
        up: `${from} $upstream`,
        ...Object.fromEntries(relays.map((name) => [name.replace('-', ''), `${from} BrokeredEndpoint("/modules/${name}/inputs/in")`])),
      },
      modules: {
        sensor: world.module('skerry/sensor', { env: { SKERRY_LEDGER: world.ledger('sensor') } }),
        ...Object.fromEntries(relays.map((name) => [name, world.module('test/relay', { env: { LEDGER: world.ledger(name) } })])),
      },
      twins: { sensor: { SendInterval: 0.05 } },
    });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor', ...relays);
    const handled = (name) => new Set(world.lines(name, 'got'));
    await until('every module has some', () => relays.every((name) => handled(name).size >= 10), 40);

    const killed = world.pid('hub');
    process.kill(killed, 'SIGKILL');
    await until('the hub is back', async () => {
      await world.request('POST', '/modules/edgeHub/start');
      return world.pid('hub') && world.pid('hub') !== killed;
    });
    const before = new Map(relays.map((name) => [name, handled(name).size]));
    await until('every module has reconnected and gets messages again', () =>
      relays.every((name) => handled(name).size > before.get(name) + 10), 60);

    world.updateTwin('sensor', { SendData: false });
    let sent;
    await until('everything acknowledged has arrived everywhere', () => {
      sent = world.lines('sensor', 'sent');
      const places = [...relays.map(handled), new Set(world.events('sensor').map((event) => event.messageId))];
      return places.every((found) => sent.every((id) => found.has(id)));
    }, 40);
    assert.ok(sent.length > 20);
    console.log(`fan-out: ${sent.length} acknowledged, 0 lost at ${relays.length} modules and the cloud`);
  });
});
