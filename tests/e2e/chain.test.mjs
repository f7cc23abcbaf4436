// The main job, with an unmodified npm SDK module in the chain, and the npm service SDK at the cloud.
import assert from 'node:assert/strict';
import test from 'node:test';
import iothub from 'azure-iothub';
import { withWorld, until } from './world.mjs';

const sensorToRelay =
  'FROM /messages/modules/sensor/outputs/temperatureOutput INTO BrokeredEndpoint("/modules/relay/inputs/input1")';
const relayToCloud = 'FROM /messages/modules/relay/outputs/output1 INTO $upstream';

function serviceClients(world) {
  const { iothubowner } = world.info();
  return {
    registry: iothub.Registry.fromConnectionString(iothubowner),
    client: iothub.Client.fromConnectionString(iothubowner),
  };
}

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

    const { registry, client } = serviceClients(world);
    const { responseBody: twin } = await registry.getModuleTwin('edge-1', 'relay');
    assert.equal(twin.properties.reported.relay.ready, true);
    await registry.updateModuleTwin('edge-1', 'relay', { properties: { desired: { greeting: 'again' } } }, '*');
    await until('the changed desired property arrives', () => world.lines('relay', 'desired').includes('"again"'));

    const answer = await client.invokeDeviceMethod('edge-1', 'relay',
      { methodName: 'echo', payload: { n: 42 }, responseTimeoutInSeconds: 15, connectTimeoutInSeconds: 5 });
    assert.deepEqual(answer.result, { status: 200, payload: { echoed: { n: 42 } } });

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
    const { registry } = serviceClients(world);
    const created = (await registry.create({ deviceId: 'dev 1'.replace(' ', '-'), status: 'enabled' })).responseBody;
    assert.ok(created.authentication.symmetricKey.primaryKey);
    await assert.rejects(registry.create({ deviceId: 'dev-1' }), (error) => error.name === 'DeviceAlreadyExistsError');
    await registry.addModule({ deviceId: 'dev-1', moduleId: 'm' });
    assert.deepEqual((await registry.getModulesOnDevice('dev-1')).responseBody.map((module) => module.moduleId), ['m']);
    const { responseBody: twin } = await registry.getTwin('dev-1');
    await twin.update({ tags: { site: 'north' }, properties: { desired: { a: { b: 1 } } } });
    const { responseBody: changed } = await registry.getTwin('dev-1');
    assert.equal(changed.tags.site, 'north');
    assert.equal(changed.properties.desired.a.b, 1);
    assert.equal(changed.properties.desired.$version, 2);
    await assert.rejects(registry.updateTwin('dev-1', { tags: { site: 'x' } }, 'abc'),
      (error) => error.name === 'InvalidEtagError');
    const edge = (await registry.create({ deviceId: 'edge', capabilities: { iotEdge: true } })).responseBody;
    assert.match(edge.deviceScope, /^ms-azure-iot-edge:\/\/edge-/);
    const system = (await registry.getModulesOnDevice('edge')).responseBody.map((module) => module.moduleId).sort();
    assert.deepEqual(system, ['$edgeAgent', '$edgeHub']);
    await registry.delete('dev-1');
    await assert.rejects(registry.get('dev-1'), (error) => error.name === 'DeviceNotFoundError');
  });
});
