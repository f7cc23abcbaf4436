// The agent as a module like others: what it counts, and an update of it that does not work.
import assert from 'node:assert/strict';
import test from 'node:test';
import { skerry, withWorld, until } from './world.mjs';

const reported = (world) => world.twin('$edgeAgent').properties.reported;

async function started(world) {
  await world.startCloud();
  world.createDevice();
  world.bundle('test/sleeper', ['/bin/sleep', '9001']);
  world.deploy({ routes: {}, modules: { sleeper: world.module('test/sleeper', { version: '1.0' }) } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub', 'sleeper');
  await until('the deployment is reported', () => reported(world).lastDesiredStatus?.code === 200, 60);
}

test('on plain processes the agent counts at port 9601 of this machine, and the hub at 9600', async () => {
  await withWorld('agent-metrics', async (world) => {
    await started(world);
    const page = async (port, host = '127.0.0.1') =>
      (await world.httpRequest({ host, port, path: '/metrics' })).body;
    const text = await until('the agent has counted', async () => {
      const now = await page(9601);
      return /edgeAgent_deployment_time_seconds_count{.*} 1$/m.test(now) && now;
    }, 30);
    assert.match(text, /^edgeAgent_module_start_total{module_name="sleeper",module_version="1.0",ms_telemetry="True",iothub=.*} 1$/m);
    assert.match(text, /^edgeAgent_command_latency_seconds_count{command="create".*} 2$/m);
    assert.match(text, /^edgeAgent_total_time_running_correctly_seconds{module_name="sleeper",ms_telemetry="False".*} [\d.]+$/m);
    assert.match(text, /^edgeAgent_iothub_syncs_total{.*} [1-9]\d*$/m);
    assert.match(await page(9600, '127.0.0.12').catch(() => page(9600)), /^edgehub_connected_clients/m);
    JSON.parse(world.cloudCli('method', 'invoke', world.device, '$edgeAgent', 'ping', 'null', '--json'));
    assert.match(await page(9601), /^edgeagent_direct_method_invocations_count{method_name="ping"} 1$/m);
  });
});

for (const [what, command] of [
  ['that ends at once', 'echo I was never an agent; exit 3'],
  ['that works for a while and crashes later', `${skerry} agent & sleep 6; kill $!; echo I was never an agent; exit 4`],
]) {
  test(`a new agent ${what} gives way to the one before, and the twin says so`, async () => {
    await withWorld('agent-update', async (world) => {
      await started(world);
      world.bundle('test/new-agent', ['/bin/sh', '-c', command]);
      const sleeper = world.pid('9001');
      world.updateTwin('$edgeAgent', { systemModules: { edgeAgent: { settings: { image: 'test/new-agent:latest' } } } });
      await until('the new agent was tried', async () => (await world.modules()).edgeAgent?.config.settings.image
        .startsWith('test/new-agent'), 60);
      await until('the agent before it is back', async () => (await world.modules()).edgeAgent?.config.settings.image
        .startsWith('skerry/agent'), 120);
      const state = await until('the twin says so', () => {
        const now = reported(world);
        return now.rollback && now.lastDesiredStatus.code === 500 && now;
      }, 60);
      assert.equal(state.rollback.module, 'edgeAgent');
      assert.equal(state.rollback.failedVersion, state.lastDesiredVersion);
      assert.match(state.rollback.reason, /ended 4 times/);
      assert.match(state.rollback.log, /I was never an agent/);
      assert.equal(state.systemModules.edgeAgent.settings.image, 'skerry/agent:latest');
      assert.equal(world.pid('9001'), sleeper);

      // It does its work again.
      world.bundle('test/other', ['/bin/sleep', '9002']);
      world.updateTwin('$edgeAgent', { systemModules: { edgeAgent: { settings: { image: 'skerry/agent:latest' } } },
        modules: { other: world.module('test/other') } });
      await world.untilRunning('other');
      await until('a later version succeeds', () => reported(world).lastDesiredStatus.code === 200, 60);
    });
  });
}
