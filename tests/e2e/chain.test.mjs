// The main job, with an unmodified npm SDK module in the chain, and the npm service SDK at the cloud.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withWorld, until } from './world.mjs';

const sensorToRelay =
  'FROM /messages/modules/sensor/outputs/temperatureOutput INTO BrokeredEndpoint("/modules/relay/inputs/input1")';
const relayToCloud = 'FROM /messages/modules/relay/outputs/output1 INTO $upstream';

test('sensor → npm SDK module → cloud: messages, twin, direct method, service SDK', async () => {
  await withWorld('chain', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.nodeBundle('test/relay', 'relay.mjs');
    world.deploy({
      routes: { a: sensorToRelay, b: relayToCloud },
      modules: {
        sensor: world.module('skerry/sensor', { env: { SKERRY_LEDGER: world.ledger('sensor') } }),
        relay: world.module('test/relay', { env: { LEDGER: world.ledger('relay') } }),
      },
      twins: { sensor: { SendInterval: 0.05 }, relay: { greeting: 'hello' } },
    });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor', 'relay');

    const events = await until('20 messages of the relay in the cloud', () => {
      const found = world.events('relay');
      return found.length >= 20 && found;
    }, 40);
    for (const event of events) {
      assert.equal(event.deviceId, 'edge-1');
      assert.equal(event.properties.via, 'input1');
    }
    const sent = new Set(world.lines('sensor', 'sent'));
    assert.ok(events.every((event) => sent.has(event.messageId)), 'every event is a message of the sensor');
    assert.deepEqual(world.lines('relay', 'twin'), ['"hello"']);

    const { twin, answer } = JSON.parse(world.service('relay'));
    assert.equal(twin.properties.reported.relay.ready, true);
    await until('the changed desired property arrives', () => world.lines('relay', 'desired').includes('"again"'));
    assert.deepEqual(answer, { status: 200, payload: { echoed: { n: 42 } } });

    const agent = await until('the agent reports 200', () => {
      const { reported } = world.twin('$edgeAgent').properties;
      return reported.lastDesiredStatus?.code === 200 && reported.modules?.relay?.runtimeStatus === 'running' && reported;
    });
    assert.equal(agent.systemModules.edgeHub.runtimeStatus, 'running');
  });
});

test('the npm service SDK manages devices, modules and twins of the local cloud', async () => {
  await withWorld('registry', async (world) => {
    await world.startCloud();
    assert.match(world.service('registry'), /all asserted/);
  });
});
