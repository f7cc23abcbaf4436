// Twenty containers, and a deployment with a bad image: the one before comes back by itself with the cloud away, the other
// nineteen containers never notice, and the twin tells about it when the cloud is there again.
import assert from 'node:assert/strict';
import { until } from '../world.mjs';
import { suite, steady } from './containers.mjs';

const names = Array.from({ length: 20 }, (_, i) => `m${i + 1}`);
const bad = 'm7';
const others = ['edgeAgent', 'edgeHub', ...names.filter((name) => name !== bad)];
const lastWords = 'echo warming up; echo no sensor on this bus; ';

const check = suite('moby-rollback', async (world) => {
  await world.engine.makeImage('test/good:1', ['/bin/sh', '-c', steady]);
  await world.engine.makeImage('test/bad:start', ['/no/such/program']);
  await world.engine.makeImage('test/bad:exit', ['/bin/sh', '-c', `${lastWords}exit 3`]);
  await world.engine.makeImage('test/bad:health', ['/bin/sh', '-c', lastWords + steady], { Healthcheck: {
    Test: ['CMD-SHELL', 'echo no reading; exit 1'], Interval: 200e6, Timeout: 5e9, Retries: 1 } });
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: {}, modules: Object.fromEntries(names.map((name) =>
    [name, { ...world.module(''), settings: { image: 'test/good:1' } }])) });
  await world.startDaemon();
  await world.untilRunning(...others, bad);
  await world.untilDeployed();
});

const count = (text, pattern) => text.match(pattern)?.length ?? 0;

// Deploys the image for `bad`, takes the cloud away, and returns what is reported when it is back.
async function withBadImage(world, image, policy) {
  const before = await world.engine.lives(others);
  const good = (await world.engine.inspect(bad)).Config.Image;
  const wanted = () => count(world.agentLog(), /deployment of version \d+ is wanted now/g);
  const verdicts = () => count(world.agentLog(), /comes back: module 'm7'/g);
  const [knew, judged] = [wanted(), verdicts()];
  world.updateTwin('$edgeAgent', { deploymentPolicy: policy, modules: { [bad]: { settings: { image } } } });
  await until('the agent has the bad deployment', () => wanted() > knew);
  await world.stopCloud('SIGKILL');
  await until('the verdict', () => verdicts() > judged, 60);
  const verdict = Date.now();
  await until('the good one runs again', async () => {
    const { Config, State } = await world.engine.inspect(bad);
    return Config.Image === good && State.Running;
  }, 60);
  const seconds = (Date.now() - verdict) / 1000;
  console.log(`${image}: rolled back ${seconds.toFixed(1)} s after the verdict, with the cloud away`);
  assert.ok(seconds < 60);
  assert.deepEqual(await world.engine.lives(others), before);

  await world.startCloud();
  const state = await until('the twin says so', () => {
    const now = world.reported;
    return now.rollback && now.lastDesiredStatus.code === 500 && now.modules[bad].runtimeStatus === 'running' && now;
  }, 60);
  assert.equal(state.rollback.module, bad);
  assert.equal(state.rollback.failedVersion, state.lastDesiredVersion);
  assert.match(state.lastDesiredStatus.description, /m7/);

  world.updateTwin('$edgeAgent', { modules: { [bad]: { settings: { image: 'test/good:1' } } } });
  await until('a later version succeeds', () => {
    const now = world.reported;
    return now.lastDesiredStatus.code === 200 && !now.rollback;
  }, 60);
  assert.deepEqual(await world.engine.lives(others), before);
  return state;
}

check('an image that never starts is rolled back, and nineteen others are not touched', async (world) => {
  const { rollback } = await withBadImage(world, 'test/bad:start', { probationSeconds: 2, failuresAllowed: 1 });
  assert.match(rollback.reason, /no\/such\/program/);
});

check('an image that ends with an error is rolled back, and its last log lines are reported', async (world) => {
  const { rollback, lastDesiredStatus } = await withBadImage(world, 'test/bad:exit', { failuresAllowed: 1 });
  assert.match(rollback.reason, /exit code 3/);
  assert.match(JSON.stringify(rollback.log), /no sensor on this bus/);
  assert.match(lastDesiredStatus.description, /exit code 3.*warming up.*no sensor on this bus/s);
});

check('an image whose health check fails is rolled back, and its last log lines are reported', async (world) => {
  const { rollback, lastDesiredStatus } = await withBadImage(world, 'test/bad:health', { failuresAllowed: 0 });
  assert.match(rollback.reason, /unhealthy/);
  assert.match(lastDesiredStatus.description, /no sensor on this bus/);
});

check('what comes back has the image that it had, though its tag points to another one by now', async (world) => {
  const proofs = () => count(world.agentLog(), /has proved itself/g);
  const proven = proofs();
  await world.engine.tag('test/good:1', 'test/moving', '1');
  world.updateTwin('$edgeAgent', { deploymentPolicy: { probationSeconds: 1, failuresAllowed: 0 },
    modules: { [bad]: { settings: { image: 'test/moving:1' } } } });
  await until('the deployment has proved itself', () => proofs() > proven, 60);
  const before = await world.engine.lives(others);
  const good = (await world.engine.inspect(bad)).Image;
  await world.engine.tag('test/bad:exit', 'test/moving', '1');
  world.updateTwin('$edgeAgent', { modules: { [bad]: { env: { CHANGED: { value: 'yes' } } } } });
  await until('it was rolled back', () => world.reported.rollback?.module === bad, 60);
  await until('the good one runs again', async () => (await world.engine.inspect(bad)).State.Running, 60);
  const { Image, Config } = await world.engine.inspect(bad);
  assert.equal(Image, good);
  assert.ok(!Config.Env.includes('CHANGED=yes'));
  assert.equal(world.reported.modules[bad].settings.image, 'test/moving:1');
  assert.deepEqual(await world.engine.lives(others), before);
});
