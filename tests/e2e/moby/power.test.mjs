// Agent and hub replaced by their own deployment, and the power cut: messages are counted, containers keep running.
import assert from 'node:assert/strict';
import path from 'node:path';
import { until, untilAllArrived, sensorToFilter, filterToCloud } from '../world.mjs';
import { suite } from './containers.mjs';

const modules = ['sensor', 'filter'];
const everybody = ['edgeAgent', 'edgeHub', ...modules];

const check = suite('moby-power', async (world) => {
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: { sensorToFilter, filterToCloud },
    modules: Object.fromEntries(modules.map((name) => [name, world.accountant(`skerry/${name}`, name)])),
    twins: { sensor: { SendInterval: 0.05 }, filter: { TemperatureThreshold: 0 } } });
  await world.startDaemon();
  await world.untilRunning(...everybody);
  await world.untilDeployed();
  await untilAllArrived(world, 10);
});
// What is of another image, made from that of the role.
async function release(world, role) {
  await world.engine.makeImage(`skerry/${role}:2`, undefined, { Image: `skerry/${role}:latest`, Env: ['RELEASE=2'] });
  world.updateTwin('$edgeAgent', { systemModules: { [role === 'hub' ? 'edgeHub' : 'edgeAgent']: {
    settings: { image: `skerry/${role}:2` } } } });
}
const untilRuns = (world, name, image) => until(`${name} runs ${image}`, async () => {
  const { Config, State } = await world.engine.inspect(name);
  return Config.Image === image && State.Running;
}, 60);
function assertNothingTwice(world) {
  const ids = world.events('filter').map(({ messageId }) => messageId);
  assert.equal(new Set(ids).size, ids.length);
}

check('a new agent comes through the deployment: the containers of the modules are not touched, messages go on', async (world) => {
  const others = everybody.slice(1);
  const before = await world.engine.lives(others);
  await release(world, 'agent');
  await untilRuns(world, 'edgeAgent', 'skerry/agent:2');
  const { systemModules } = await world.untilDeployed();
  assert.equal(systemModules.edgeAgent.settings.image, 'skerry/agent:2');
  assert.deepEqual(await world.engine.lives(others), before);
  await untilAllArrived(world, 10);
  assert.deepEqual(await world.engine.lives(others), before);
  assertNothingTwice(world);
  const info = await world.engine.inspect('edgeAgent');
  assert.ok(info.Config.Env.includes('RELEASE=2'));
});

check('a new hub comes through the deployment: no message is lost, no other container is touched', async (world) => {
  const others = ['edgeAgent', ...modules];
  const before = await world.engine.lives(others);
  await release(world, 'hub');
  await untilRuns(world, 'edgeHub', 'skerry/hub:2');
  await world.untilDeployed();
  await untilAllArrived(world, 20);
  assert.deepEqual(await world.engine.lives(others), before);
});

check('the power is cut: without cloud and network all modules run again, and what they sent arrives later', async (world) => {
  await world.stopCloud('SIGKILL');
  const enough = world.lines('sensor', 'sent').length + 20;
  await until('there is something in store', () => world.lines('sensor', 'sent').length >= enough, 30);
  await world.cutPower();
  const sentBefore = world.lines('sensor', 'sent').length;

  world.daemon = world.start('daemon', ['daemon', '-c', path.join(world.root, 'config.toml')]);
  await world.engine.start();
  await until('the daemon answers', () => world.modules(), 60);
  await world.untilRunning(...everybody);
  await until('messages flow with the cloud away', () => world.lines('sensor', 'sent').length >= sentBefore + 20, 60);
  assert.equal((await world.engine.inspect('edgeAgent')).Config.Image, 'skerry/agent:2');

  await world.startCloud();
  await untilAllArrived(world, 20);
  world.updateTwin('sensor', { SendData: false });
  const sent = await until('the sensor is silent, and all that it sent is accounted for', () => {
    const all = world.lines('sensor', 'sent');
    const known = new Set([...world.events('filter').map(({ messageId }) => messageId), ...world.lines('filter', 'dropped')]);
    return all.every((id) => known.has(id)) && all;
  });
  const arrived = world.events('filter').map(({ messageId }) => messageId);
  const [dropped, twice] = [world.lines('filter', 'dropped').length, arrived.length - new Set(arrived).size];
  console.log(`${sent.length} sent, ${arrived.length - twice} arrived, ${twice} of them twice, ${dropped} dropped by the filter`);
  assert.ok(sent.length > 60);
  for (const name of modules) assert.equal(world.reported.modules[name].restartCount, 0, `${name}: a reboot is no crash`);
});
