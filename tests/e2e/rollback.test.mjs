// A bad module in a deployment of twenty: the deployment before comes back by itself, with the cloud away, and the other
// nineteen modules never notice.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withWorld, until } from './world.mjs';

const reported = (world) => world.twin('$edgeAgent').properties.reported;
const names = Array.from({ length: 20 }, (_, i) => `m${i + 1}`);
const word = (name) => String(9000 + Number(name.slice(1)));  // the last argument of its process
const bad = 'm7';

test('a bad module of twenty is rolled back with the cloud away, and the nineteen others keep their processes', async () => {
  await withWorld('rollback', async (world) => {
    await world.startCloud();
    world.createDevice();
    for (const name of names) world.bundle(`test/${name}`, ['/bin/sleep', word(name)]);
    world.bundle('test/broken', ['/bin/sh', '-c', 'echo no sensor on this bus; exit 1']);
    world.deploy({ routes: {}, modules: Object.fromEntries(names.map((name) => [name, world.module(`test/${name}`)])) });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', ...names);
    await until('the first deployment is reported', () => reported(world).lastDesiredStatus?.code === 200, 60);
    const others = [...names.filter((name) => name !== bad).map(word), 'agent', 'hub'];
    const before = Object.fromEntries(others.map((name) => [name, world.pid(name)]));
    const wanted = () => world.moduleLog('edgeAgent').match(/deployment of version \d+ is wanted now/g)?.length ?? 0;
    const versions = wanted();

    world.updateTwin('$edgeAgent', {
      deploymentPolicy: { probationSeconds: 3, failuresAllowed: 1 },
      modules: { [bad]: { settings: { image: 'test/broken:latest' } } },
    });
    await until('the agent has the bad deployment', () => wanted() > versions);
    await world.stopCloud('SIGKILL');
    await until('the bad one was tried', () => /no sensor on this bus/.test(world.moduleLog(bad)) ||
      /comes back: module/.test(world.moduleLog('edgeAgent')), 60);
    await until('the verdict', () => /comes back: module 'm7'/.test(world.moduleLog('edgeAgent')), 60);
    const verdict = Date.now();
    await until('the good one runs again', () => world.pids(word(bad)).length === 1, 60);
    const seconds = (Date.now() - verdict) / 1000;
    console.log(`rolled back ${seconds.toFixed(1)} s after the verdict, with the cloud away`);
    assert.ok(seconds < 60);
    for (const name of others) assert.equal(world.pid(name), before[name], `${name} was restarted`);

    await world.startCloud();
    const state = await until('the twin says so', () => {
      const now = reported(world);
      return now.rollback && now.lastDesiredStatus.code === 500 && now;
    }, 60);
    assert.equal(state.rollback.module, bad);
    assert.equal(state.rollback.failedVersion, state.lastDesiredVersion);
    assert.equal(state.rollback.restoredVersion, state.lastDesiredVersion - 1);
    assert.match(state.rollback.reason, /exit code 1/);
    assert.match(state.lastDesiredStatus.description, /m7.*exit code 1/s);
    assert.match(state.lastDesiredStatus.description, /no sensor on this bus/);
    assert.equal(state.modules[bad].runtimeStatus, 'running');

    // What failed is tried again only when it changes; a version that works clears the report.
    world.updateTwin('$edgeAgent', { modules: { [bad]: { settings: { image: `test/${bad}:latest` } } } });
    await until('a later version succeeds', () => {
      const now = reported(world);
      return now.lastDesiredStatus.code === 200 && !now.rollback;
    }, 60);
    for (const name of others) assert.equal(world.pid(name), before[name], `${name} was restarted`);
  });
});
