// What the runtime says of modules and deployments that don't work.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withWorld, until, sensorToCloud } from './world.mjs';

const reported = (world) => world.twin('$edgeAgent').properties.reported;

test('a crashing module restarts with back-off, visible in skerry list and in the twin', async () => {
  await withWorld('crash', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.bundle('test/crasher', ['/bin/sh', '-c', 'echo about to fail; exit 3']);
    world.deploy({ routes: {}, modules: { crasher: world.module('test/crasher') } });
    await world.startDaemon();
    await until('restarts are counted, and back-off is reported', () => {
      const crasher = reported(world).modules?.crasher;
      return crasher?.restartCount >= 2 && crasher.runtimeStatus === 'backoff' && crasher.exitCode === 3;
    }, 40);
    await until('skerry list shows the failure', () =>
      /crasher\s+failed\s+Failed \(3\)/.test(world.cli('list', '-H', `unix://${world.management}`)));
    assert.match(world.moduleLog('crasher'), /about to fail/);
    const { edgeHub } = await world.modules();
    assert.equal(edgeHub.state, 'running');
  });
});

test('a malformed manifest is reported with 400 and the name of the problem; running modules stay', async () => {
  await withWorld('malformed', async (world) => {
    await world.startCloud();
    world.createDevice();
    const good = {
      routes: { a: sensorToCloud },
      modules: { sensor: world.module('skerry/sensor', { env: { SKERRY_LEDGER: world.ledger('sensor') } }) },
      twins: { sensor: { SendInterval: 0.05 } },
    };
    world.deploy(good);
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor');
    await until('the good deployment is reported', () => reported(world).lastDesiredStatus?.code === 200);
    const pid = world.pid('sensor');

    world.deploy({ ...good, modules: { sensor: { ...good.modules.sensor, restartPolicy: 'sometimes' } } });
    const status = await until('the bad one is reported', () => {
      const { lastDesiredStatus } = reported(world);
      return lastDesiredStatus?.code === 400 && lastDesiredStatus;
    });
    assert.match(status.description, /sensor/);
    assert.match(status.description, /restartPolicy/);
    assert.equal(world.pid('sensor'), pid);

    // The last good deployment is still supervised.
    process.kill(pid, 'SIGKILL');
    await until('the sensor is started again', () => world.pids('sensor').length === 1 && world.pid('sensor') !== pid, 30);

    world.deploy(good);
    await until('the good one is accepted again', () => reported(world).lastDesiredStatus?.code === 200);
  });
});

test('a limit or option that the process engine can not apply is named in the status', async () => {
  await withWorld('options', async (world) => {
    await world.startCloud();
    world.createDevice();
    const sleeper = world.module('test/sleeper');
    world.bundle('test/sleeper', ['/bin/sleep', '1000']);
    sleeper.settings.createOptions = JSON.stringify({ HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } } });
    world.deploy({ routes: {}, modules: { sleeper } });
    await world.startDaemon();
    await world.untilRunning('sleeper');
    const { sleeper: status } = await world.modules();
    assert.match(status.description ?? '', /PortBindings/);
  });
});
