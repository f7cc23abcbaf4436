// A new agent that never comes up, on a real engine: one that ends at once, and one that runs but never asks its daemon.
// The one before comes back by itself, the twin says what happened, and no other container is touched.
import assert from 'node:assert/strict';
import { until, untilAllArrived, sensorToFilter, filterToCloud } from '../world.mjs';
import { suite, steady } from './containers.mjs';

const good = 'skerry/agent:latest';
const others = ['edgeHub', 'sensor', 'filter'];
const lastWords = 'I was never an agent';

const check = suite('moby-trial', async (world) => {
  world.daemonSettings = ['agent_silence = "40s"'];
  await world.engine.makeImage('test/agent:ends', ['/bin/sh', '-c', `echo ${lastWords}; exit 3`]);
  await world.engine.makeImage('test/agent:sleeps', ['/bin/sh', '-c', `echo ${lastWords}; ${steady}`]);
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: { sensorToFilter, filterToCloud },
    modules: Object.fromEntries(['sensor', 'filter'].map((name) => [name, world.accountant(`skerry/${name}`, name)])),
    twins: { sensor: { SendInterval: 0.1 }, filter: { TemperatureThreshold: 0 } },
    desired: { deploymentPolicy: { probationSeconds: 2 } } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', ...others);
  await world.untilDeployed();
  await untilAllArrived(world, 5);
});

const agent = (world) => world.engine.inspect('edgeAgent');
// The agent's image, and something of another module that this deployment changes, too.
function deploy(world, image, change) {
  world.updateTwin('$edgeAgent', { systemModules: { edgeAgent: { settings: { image } } },
    modules: { filter: { env: { CHANGED: { value: change } } } } });
}

// Deploys that agent, and returns how many seconds after its first start the one before runs again. `meanwhile` is awaited
// while the new one is there.
async function withBadAgent(world, image, { reason, limit, meanwhile = async () => {} }) {
  const before = await world.engine.lives(others);
  const happened = await world.engine.watch('create');
  deploy(world, image, image);
  const begun = await until('the new agent is tried', async () => {
    const { Config, State } = await agent(world);
    return Config.Image === image && !State.StartedAt.startsWith('0001') && Date.parse(State.StartedAt);
  }, 60);
  await meanwhile();
  const back = await until('the agent before it runs again', async () => {
    const { Config, State } = await agent(world);
    return Config.Image === good && State.Running && Date.parse(State.StartedAt);
  }, limit);

  const state = await until('the twin says so', () => {
    const now = world.reported;
    return now.rollback && now.lastDesiredStatus.code === 500 && now;
  }, 60);
  const { $version } = world.twin('$edgeAgent').properties.desired;
  assert.equal(state.lastDesiredVersion, $version);
  assert.deepEqual([state.rollback.module, state.rollback.failedVersion, state.rollback.restoredVersion],
    ['edgeAgent', $version, $version - 1]);
  assert.match(state.rollback.reason, reason);
  assert.match(state.lastDesiredStatus.description, reason);
  assert.match(state.rollback.log, new RegExp(lastWords));
  assert.deepEqual([state.systemModules.edgeAgent.settings.image, state.systemModules.edgeAgent.runtimeStatus], [good, 'running']);

  // It knows what failed after a restart, too: that version is not tried again, neither its agent nor its module.
  const { State: { Pid } } = await agent(world);
  process.kill(Pid, 'SIGKILL');
  await until('the agent is another process', async () => {
    const { State } = await agent(world);
    return State.Running && State.Pid !== Pid;
  }, 60);
  await until('it is connected', () => JSON.parse(world.cloudCli('method', 'invoke', world.device, '$edgeAgent', 'ping', 'null',
    '--json')).status === 200, 60);
  await untilAllArrived(world, 5);
  assert.deepEqual(await world.engine.lives(others), before);
  assert.equal((await agent(world)).Config.Image, good);
  // Others are made under no name of ours, and removed at once, to see whether the engine would.
  const made = happened.seen.filter((what) => ['edgeAgent', ...others].includes(what.split(' ')[0]));
  assert.deepEqual(made, ['edgeAgent create', 'edgeAgent create']);
  happened.close();
  return (back - begun) / 1000;
}

check('a new agent that ends at once gives way to the one before, which does its work again', async (world) => {
  const seconds = await withBadAgent(world, 'test/agent:ends', { reason: /it ended 4 times/, limit: 120 });
  console.log(`an agent that ends at once: the one before is back after ${seconds.toFixed(1)} s`);

  const before = await world.engine.lives(['edgeHub', 'sensor']);
  deploy(world, good, 'for good');
  await world.untilDeployed();
  await until('the change is there', async () => (await world.engine.inspect('filter')).Config.Env.includes('CHANGED=for good'));
  await until('that version has proved itself', () => !world.reported.rollback, 60);
  assert.deepEqual(await world.engine.lives(['edgeHub', 'sensor']), before);
  await untilAllArrived(world, 5);
});

check('a new agent that runs but never asks its daemon gives way to the one before, and modules run on meanwhile', async (world) => {
  const seconds = await withBadAgent(world, 'test/agent:sleeps', {
    reason: /it asked for no modules within 40 s/, limit: 90, meanwhile: async () => {
      const before = await world.engine.lives(['edgeAgent', ...others]);
      await untilAllArrived(world, 20);
      // Somebody else asks: that is no sign of life of the agent.
      assert.equal((await world.modules()).edgeAgent.config.settings.image, 'test/agent:sleeps');
      assert.deepEqual(await world.engine.lives(['edgeAgent', ...others]), before);
    } });
  console.log(`an agent that never asks: the one before is back after ${seconds.toFixed(1)} s`);
  assert.ok(seconds >= 39 && seconds < 70, `${seconds} s`);
});
