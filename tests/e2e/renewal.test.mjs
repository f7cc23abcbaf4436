// A device's token is renewed while it sends: the unmodified npm SDK disconnects and connects again for that.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withWorld, until } from './world.mjs';

test('tokens are renewed under load: nothing is lost, doubled or out of order on its way to the cloud', async () => {
  await withWorld('renewal', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.createLeaf('leaf-1');
    world.deploy({ routes: { up: 'FROM /messages/* INTO $upstream' } });
    await world.startDaemon();
    await world.untilHubListens();

    const leaf = world.startLeaf('leaf-1', { program: 'renewing.mjs' });
    await until('the token was renewed four times', () => world.lines('leaf-1', 'renewed').length >= 4, 60);
    leaf.kill('SIGTERM');
    await until('the device has ended', () => world.lines('leaf-1', 'ended').length === 1, 30);
    const sent = world.lines('leaf-1', 'sent');
    const arrived = () => world.events().filter((event) => event.deviceId === 'leaf-1').map((event) => Number(event.messageId));
    const ids = await until('all messages are in the cloud', () => {
      const found = arrived();
      return found.length >= sent.length && found;
    }, 30);
    assert.ok(sent.length > 100, `${sent.length} messages`);
    assert.deepEqual(ids, [...ids.keys()], 'each message once, in order');
    assert.equal(ids.length, sent.length);
    console.log(`${world.lines('leaf-1', 'renewed').length} renewals: ${sent.length} acknowledged, 0 lost, 0 duplicates`);
  });
});
