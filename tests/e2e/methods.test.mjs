// Direct methods from a module to others on the same device, through the hub's HTTP head, with the unmodified npm SDK.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { withWorld, until, hubAddress } from './world.mjs';

test('a module calls methods of a module and of a device behind the gateway, with the cloud away', async () => {
  await withWorld('methods', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.createLeaf('leaf-1');
    const calls = [
      ['edge-1', 'relay', { methodName: 'echo', payload: { n: 1, text: 'x'.repeat(100_000) }, responseTimeoutInSeconds: 15,
        connectTimeoutInSeconds: 10 }],
      ['leaf-1', null, { methodName: 'where', payload: [1, null], responseTimeoutInSeconds: 15,
        connectTimeoutInSeconds: 10 }],
      ['edge-1', 'nobody', { methodName: 'echo', payload: 1, responseTimeoutInSeconds: 5, connectTimeoutInSeconds: 0 }],
      ['leaf-1', null, { methodName: 'unheard', payload: 1, responseTimeoutInSeconds: 5, connectTimeoutInSeconds: 0 }],
      ['leaf-1', null, { methodName: 'where', payload: 'x'.repeat(140_000), responseTimeoutInSeconds: 5,
        connectTimeoutInSeconds: 0 }],
    ];
    const file = path.join(world.root, 'calls');
    fs.writeFileSync(file, calls.map((call) => `${JSON.stringify(call)}\n`).join(''));
    world.nodeBundle('test/relay', 'relay.mjs');
    world.nodeBundle('test/caller', 'caller.mjs');
    const caller = { restartPolicy: 'never', env: { LEDGER: world.ledger('caller'), CALLS: file } };
    const deployment = { routes: {}, modules: {
      relay: world.module('test/relay', { env: { LEDGER: world.ledger('relay') } }),
      caller: world.module('test/caller', { ...caller, status: 'stopped' }),
    } };
    world.deploy(deployment);
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'relay');
    await until('the relay is ready', () => fs.readFileSync(world.ledger('relay'), 'utf8').includes('ready'));
    world.startLeaf('leaf-1');
    await until('the device is ready', () => fs.readFileSync(world.ledger('leaf-1'), 'utf8').includes('ready'), 30);

    world.deploy({ ...deployment, modules: { ...deployment.modules, caller: world.module('test/caller', caller) } });
    await until('the caller was started', () => world.pids('caller.mjs').length === 1, 30);
    await world.stopCloud();
    const answers = await until('every call has its answer', () => {
      const lines = world.lines('caller', 'answer');
      return lines.length === calls.length && lines.map((line) => JSON.parse(line));
    }, 60);
    assert.deepEqual(answers[0], { index: 0, status: 200, payload: { echoed: calls[0][2].payload } });
    assert.deepEqual(answers[1], { index: 1, status: 202, payload: { here: [1, null] } });
    assert.equal(answers[2].code, 404);
    assert.equal(answers[3].code, 504, 'the SDK says nothing when a method has no handler');
    assert.equal(answers[4].code, 400);

    const { status, body: metrics } = await world.httpRequest({ host: hubAddress, port: 9600, path: '/metrics' });
    assert.equal(status, 200);
    assert.match(metrics, /^edgehub_direct_methods_total\{from="edge-1\/caller",to="edge-1\/relay",.*\} 1$/m);
    assert.match(metrics, /^edgehub_connected_clients\{.*edge_device="edge-1".*\} [23]$/m);
  });
});
