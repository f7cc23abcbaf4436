// Containers that end, fall ill and wait for each other: restart policies and startup order on a real engine.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { until } from '../world.mjs';
import { suite, steady } from './containers.mjs';

const mark = (world, name) => fs.writeFileSync(path.join(world.ledgers, name), '');
const unmark = (world, name) => fs.rmSync(path.join(world.ledgers, name));
const runs = (world, name) => world.lines(name, 'run').length;
const binds = (world) => ({ HostConfig: { Binds: [`${world.ledgers}:/ledgers`] } });
const lifeOf = async (world, name) => (await world.engine.lives([name]))[name];
const stateOf = async (world, name) => (await world.engine.inspect(name)).State;

// Notes each run, and ends with that code as long as nobody says that it shall stay.
function ending(world, name, code, restartPolicy) {
  return world.shell(`echo run $$ >> /ledgers/${name}.ledger; [ -e /ledgers/stay ] || exit ${code}; ${steady}`,
    { restartPolicy, options: binds(world) });
}
// Healthy as long as there is a file of its name; the file is looked for often.
function checked(world, name, extra) {
  return world.shell(`echo run $$ >> /ledgers/${name}.ledger; ${steady}`, { ...extra, options: { ...binds(world),
    Healthcheck: { Test: ['CMD-SHELL', `test -e /ledgers/${name}.well`], Interval: 200e6, Timeout: 5e9, Retries: 2 } } });
}

const check = suite('moby-lifecycle', async (world) => {
  world.engineConfig = () => ['[agent.env]', 'CoolOffTimeUnitInSeconds = "1"',
    '[moby_runtime]', `uri = "unix://${world.engine.socket}"`];
  await world.startCloud();
  world.createDevice();
  await world.startDaemon();
});
const deploy = (world, modules) => world.deploy({ routes: {}, modules, desired: { deploymentPolicy: { rollback: false } } });

check('a module that ends is started again as its policy says: always, on-failure, on-unhealthy, never', async (world) => {
  const policies = ['always', 'on-failure', 'on-unhealthy', 'never'];
  const names = (code) => policies.map((policy) => [`${policy}-${code}`, policy, code]);
  const all = [...names(0), ...names(1)];
  deploy(world, Object.fromEntries(all.map(([name, policy, code]) => [name, ending(world, name, code, policy)])));
  const again = ['always-0', 'always-1', 'on-failure-1', 'on-unhealthy-1'];
  const once = ['on-failure-0', 'on-unhealthy-0', 'never-0', 'never-1'];
  await until('those that shall have run three times', () => again.every((name) => runs(world, name) >= 3), 90);
  await until('all have run', () => once.every((name) => runs(world, name) >= 1));
  mark(world, 'stay');
  await world.untilRunning(...again);
  for (const name of once) assert.equal(runs(world, name), 1, name);
  for (const name of once) assert.equal((await stateOf(world, name)).Running, false, name);
  const reported = await until('the states are reported', () => {
    const { modules } = world.reported;
    return again.every((name) => modules?.[name]?.runtimeStatus === 'running') && modules;
  });
  for (const name of again) assert.ok(reported[name].restartCount >= 2, name);
  for (const name of once) {
    const { runtimeStatus, exitCode } = reported[name];
    assert.deepEqual([runtimeStatus, exitCode], name === 'never-1' ? ['failed', 1] : ['stopped', 0], name);
  }

  // An agent that starts anew knows who has done its work.
  const { Pid } = await stateOf(world, 'edgeAgent');
  const before = await world.engine.lives([...again, 'edgeHub']);
  process.kill(Pid, 'SIGKILL');
  await until('the agent runs again', async () => (await stateOf(world, 'edgeAgent')).Running &&
    (await stateOf(world, 'edgeAgent')).Pid !== Pid);
  process.kill((await stateOf(world, 'edgeHub')).Pid, 'SIGKILL');
  await until('the agent acts', async () => (await stateOf(world, 'edgeHub')).Running &&
    (await lifeOf(world, 'edgeHub')) !== before.edgeHub);
  for (const name of once) assert.equal(runs(world, name), 1, name);
  for (const name of again) assert.equal(await lifeOf(world, name), before[name], name);
});

check('a health check that turns bad restarts the module under always and on-unhealthy, and only there', async (world) => {
  const policies = ['always', 'on-failure', 'on-unhealthy', 'never'];
  const names = policies.map((policy) => `checked-${policy}`);
  for (const name of names) mark(world, `${name}.well`);
  deploy(world, Object.fromEntries(policies.map((restartPolicy) =>
    [`checked-${restartPolicy}`, checked(world, `checked-${restartPolicy}`, { restartPolicy })])));
  const health = async (name) => (await stateOf(world, name)).Health?.Status;
  await until('all are healthy', async () =>
    (await Promise.all(names.map(health))).every((status) => status === 'healthy'), 60);
  const before = await world.engine.lives(names);
  for (const name of names) unmark(world, `${name}.well`);
  const [always, onFailure, onUnhealthy, never] = names;
  await until('the two that shall are restarted', async () => {
    const now = await world.engine.lives([always, onUnhealthy]);
    return now[always] !== before[always] && now[onUnhealthy] !== before[onUnhealthy];
  }, 60);
  mark(world, `${always}.well`);
  mark(world, `${onUnhealthy}.well`);
  await until('they are healthy again', async () =>
    (await health(always)) === 'healthy' && (await health(onUnhealthy)) === 'healthy', 60);
  for (const name of [onFailure, never]) {
    assert.equal(await lifeOf(world, name), before[name], name);
    assert.equal(await health(name), 'unhealthy');
  }
  await until('the states are reported', () => {
    const { modules } = world.reported;
    return names.every((name) => modules[name]?.runtimeStatus ===
      (name === onFailure || name === never ? 'unhealthy' : 'running'));
  });
});

check('modules of a later order start when those before are ready, on deployment and on boot', async (world) => {
  const names = ['database', 'reader', 'screen'];
  let watch = await world.engine.watch('start', 'health_status');
  deploy(world, {
    screen: world.shell(steady, { startupOrder: 3 }),
    reader: checked(world, 'reader', { startupOrder: 2 }),
    database: checked(world, 'database', { startupOrder: 1 }),
  });
  const inOrder = async () => {
    for (const [name, next] of [['database', 'reader'], ['reader', 'screen']]) {
      await until(`${name} runs`, async () => (await stateOf(world, name)).Running, 60);
      const waiting = await world.engine.request('GET', `/containers/${next}/json`);
      assert.ok(waiting.status === 404 || !JSON.parse(waiting.text).State.Running, `${next} did not wait for ${name}`);
      mark(world, `${name}.well`);
    }
    await world.untilRunning(...names);
    const telling = /^(database|reader|screen) (start|health_status: healthy)$/;
    const happened = await until('the engine has told', () => {
      const all = watch.seen.filter((event) => telling.test(event));
      return all.length >= 5 && all;
    });
    watch.close();
    assert.deepEqual(happened, ['database start', 'database health_status: healthy',
      'reader start', 'reader health_status: healthy', 'screen start']);
  };
  await inOrder();

  for (const name of ['database', 'reader']) unmark(world, `${name}.well`);
  await world.engine.stop();
  await world.killDaemon();
  await world.engine.start();
  watch = await world.engine.watch('start', 'health_status');
  await world.startDaemon();
  await inOrder();
});
