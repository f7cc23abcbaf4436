// What a backend does with the unmodified npm service SDK. usage: service.mjs relay|registry, with CONNECTION_STRING set and
// NODE_EXTRA_CA_CERTS naming the cloud's authority.
import assert from 'node:assert/strict';
import iothub from 'azure-iothub';

const registry = iothub.Registry.fromConnectionString(process.env.CONNECTION_STRING);
const client = iothub.Client.fromConnectionString(process.env.CONNECTION_STRING);

const scenarios = {
  // Reads and changes the twin of the module relay of edge-1 and calls its method.
  async relay() {
    const { responseBody: twin } = await registry.getModuleTwin('edge-1', 'relay');
    await registry.updateModuleTwin('edge-1', 'relay', { properties: { desired: { greeting: 'again' } } }, '*');
    const { result: answer } = await client.invokeDeviceMethod('edge-1', 'relay',
      { methodName: 'echo', payload: { n: 42 }, responseTimeoutInSeconds: 15, connectTimeoutInSeconds: 5 });
    console.log(JSON.stringify({ twin, answer }));
  },

  async registry() {
    const created = (await registry.create({ deviceId: 'dev-1', status: 'enabled' })).responseBody;
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
    console.log('all asserted');
  },
};

await scenarios[process.argv[2]]();
