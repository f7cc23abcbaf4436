// Messages of the cloud to a device of the unmodified npm SDK behind the gateway.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withWorld, until } from './world.mjs';

test('messages reach a device behind the gateway, wait for it while it is away, and their senders hear of it', async () => {
  await withWorld('c2d', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.createLeaf('leaf-1');
    world.deploy({ routes: {} });
    await world.startDaemon();
    await world.untilHubListens();

    const send = async (id, headers = {}) => {
      const { status } = await world.cloudRequest('POST', '/devices/leaf-1/messages/devicebound', `body of ${id}`,
        { 'iothub-messageid': id, 'iothub-ack': 'full', 'iothub-app-colour': 'red', ...headers });
      assert.equal(status, 204);
    };
    const received = () => world.lines('leaf-1', 'message').map((line) => JSON.parse(line));
    const feedback = [];
    const hearsOf = async (id) => {
      const { status, body, etag } = await world.cloudRequest('GET', '/messages/serviceBound/feedback');
      if (status === 200) {
        feedback.push(...JSON.parse(body));
        await world.cloudRequest('DELETE', `/messages/serviceBound/feedback/${etag.replaceAll('"', '')}`);
      }
      return feedback.some((record) => record.originalMessageId === id);
    };

    await send('early');
    const leaf = world.startLeaf('leaf-1');
    await until('the early message arrives', () => received().length === 1, 30);
    assert.deepEqual(received()[0], { id: 'early', body: 'body of early', colour: 'red' });
    await until('its sender hears of it', () => hearsOf('early'));
    assert.match(world.cloudCli('message', 'send', 'leaf-1', 'body of live', '--id', 'live', '--ack', 'full', '-p', 'colour=red'),
      /^sent live$/m);
    await until('the next one arrives', () => received().length === 2);
    await until('its sender hears of it', () => hearsOf('live'));

    leaf.kill('SIGKILL');
    await until('the hub has noticed', () =>
      world.moduleLog('edgeHub').includes('Device connection of leaf-1 has ended'));
    await send('while away');
    await send('too short', { 'iothub-expiry': new Date(Date.now() + 1500).toISOString() });
    await until('the short one expires', () => hearsOf('too short'));
    assert.equal(await hearsOf('while away'), false);

    world.startLeaf('leaf-1');
    await until('what waited arrives', () => received().length === 3, 30);
    assert.equal(received()[2].id, 'while away');
    await until('its sender hears of it', () => hearsOf('while away'));
    assert.deepEqual(Object.fromEntries(feedback.map((record) => [record.originalMessageId, record.statusCode])),
      { early: 'Success', live: 'Success', 'too short': 'Expired', 'while away': 'Success' });
  });
});
