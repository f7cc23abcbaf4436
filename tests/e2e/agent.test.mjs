// The agent as a module like others: what it counts, and an update of it that does not work.
import assert from 'node:assert/strict';
import fs from 'node:fs';
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

// The documented format: per series name, labels, and points of time and value.
function decodeTelemetry(bytes) {
  const series = new Map();
  let at = 0;
  const number = () => { at += 4; return bytes.readInt32LE(at - 4); };
  const text = () => { const size = number(); at += size; return bytes.toString('utf8', at - size, at); };
  while (at < bytes.length) {
    const name = text();
    const labels = JSON.parse(text());
    const points = [];
    for (let count = number(); count > 0; --count, at += 16) points.push(bytes.readDoubleLE(at + 8));
    series.set(name, [...(series.get(name) ?? []), { labels, points }]);
  }
  return series;
}

test('a new agent that works stays; and telemetry is sent when it is asked for, without names', async () => {
  await withWorld('agent-telemetry', async (world) => {
    await started(world);
    const env = { SendRuntimeQualityTelemetry: 'true', MetricScrapeInterval: '0:00:10', MetricUploadInterval: '0:00:10',
      SKERRY_HUB_METRICS: 'http://127.0.0.12:9600/metrics' };
    const before = world.pid('agent');
    world.updateTwin('$edgeAgent', { systemModules: { edgeAgent: {
      env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, { value }])) } } });
    await until('the agent was replaced', () => world.pid('agent') !== before, 60);
    const event = await until('telemetry came', () => world.events('$edgeAgent')
      .find((one) => JSON.stringify(one).includes('application/x-azureiot-edgeruntimediagnostics')), 90);
    const bytes = Buffer.from(event.bodyBase64, 'base64');
    const series = decodeTelemetry(bytes);
    assert.ok(series.get('edgeAgent_metadata')[0].labels.host_information);
    assert.ok([...series.keys()].some((name) => name.startsWith('edgehub_')), [...series.keys()].join(' '));
    const modules = series.get('edgeAgent_module_start_total') ?? [];
    assert.ok(modules.every(({ labels }) => labels.module_name !== 'sleeper'));
    for (const secret of ['sleeper', world.device, world.cloudAddress]) {
      assert.ok(!bytes.includes(secret), `${secret} was sent`);
    }
    await until('the new agent has proved itself', () =>
      fs.readFileSync(world.log('daemon'), 'utf8').includes('the new agent has proved itself'), 90);
    assert.equal(reported(world).lastDesiredStatus.code, 200);
    assert.equal(reported(world).rollback, undefined);
  });
});

for (const [what, command] of [
  ['that ends at once', 'echo I was never an agent; exit 3'],
  ['that works for a while and crashes later', `${skerry} agent & sleep 4; kill $!; echo I was never an agent; exit 4`],
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
