// What a deployment touches and what it leaves alone, on a real engine: every request that changes something there is
// counted between daemon and dockerd.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after } from 'node:test';
import { until } from '../world.mjs';
import { suite, steady } from './containers.mjs';
import { credentials, registryAddress } from './engine.mjs';
import { EngineProxy, SlowRegistry } from './proxies.mjs';

const system = ['edgeAgent', 'edgeHub'];
const modules = ['one', 'two', 'three'];
const everybody = [...system, ...modules];
const slowAddress = '127.0.0.1:5001';
let proxy;

const deploymentOf = (world) => ({
  routes: {},
  modules: Object.fromEntries(modules.map((name) => [name, world.shell(steady, { image: `test/${name}`,
    env: { NAME: name } })])),
});
// Carries out a change of the deployment; returns who was touched, and the writes.
async function change(world, edit) {
  const before = await world.engine.lives(everybody);
  const deployment = deploymentOf(world);
  edit(deployment.modules);
  const [writes] = await proxy.writesDuring(async () => {
    world.deploy(deployment);
    await world.untilDeployed();
    await world.untilRunning(...everybody);
  });
  const after = await world.engine.lives(everybody);
  return { touched: everybody.filter((name) => before[name] !== after[name]), writes };
}
async function untilAgentLooked(world) {
  await until('the agent answers', () => JSON.parse(world.cloudCli('method', 'invoke', world.device, '$edgeAgent', 'ping', 'null',
    '--json')).status === 200, 60);
  const before = proxy.looks;  // after a direct method it looks again
  world.cloudCli('method', 'invoke', world.device, '$edgeAgent', 'ping', 'null');
  await until('agent and daemon have looked at the engine again', () => proxy.looks > before, 60);
}

const check = suite('moby-updates', async (world) => {
  proxy = new EngineProxy(path.join(world.root, 'counted.sock'), world.engine.socket);
  await proxy.start();
  world.engineConfig = () => ['[moby_runtime]', `uri = "unix://${proxy.socket}"`];
  for (const name of modules) await world.engine.tag('skerry/base:latest', `test/${name}`, 'latest');
  await world.startCloud();
  world.createDevice();
  world.deploy(deploymentOf(world));
  await world.startDaemon();
  await world.untilRunning(...everybody);
  await world.untilDeployed();
});

check('a new image of one module touches that one only', async (world) => {
  await world.engine.tag('skerry/base:latest', 'test/two', '2');
  const { touched } = await change(world, ({ two }) => { two.settings.image = 'test/two:2'; });
  assert.deepEqual(touched, ['two']);
  assert.equal((await world.engine.inspect('two')).Config.Image, 'test/two:2');
});

check('a change of nothing but a variable replaces that module only, and so does one of its createOptions', async (world) => {
  assert.deepEqual((await change(world, () => {})).touched, ['two']);
  const { touched } = await change(world, ({ one }) => { one.env.NAME.value = 'another'; });
  assert.deepEqual(touched, ['one']);
  assert.ok((await world.engine.inspect('one')).Config.Env.includes('NAME=another'));

  const options = await change(world, ({ one, three }) => {
    one.env.NAME.value = 'another';
    three.settings.createOptions = JSON.stringify({ ...JSON.parse(three.settings.createOptions), Labels: { site: 'north' } });
  });
  assert.deepEqual(options.touched, ['three']);
  assert.equal((await world.engine.inspect('three')).Config.Labels.site, 'north');
  assert.deepEqual((await change(world, () => {})).touched, ['one', 'three']);
});

check('what only the agent acts upon touches no container: policies, order, the same options written otherwise', async (world) => {
  const { touched, writes } = await change(world, ({ one, two, three }) => {
    one.restartPolicy = 'on-failure';
    two.startupOrder = 3;
    const options = JSON.parse(three.settings.createOptions);
    three.settings.createOptions = JSON.stringify({ HostConfig: { Privileged: false }, ...options }, null, 2);
  });
  assert.deepEqual(touched, []);
  assert.deepEqual(writes, []);
});

check('an unchanged deployment costs no write at the engine: sent again, and after restarts of agent and daemon', async (world) => {
  await change(world, () => {});
  const [writes] = await proxy.writesDuring(async () => {
    const { $version } = world.twin('$edgeAgent').properties.desired;
    world.deploy(deploymentOf(world));
    assert.notEqual(world.twin('$edgeAgent').properties.desired.$version, $version);
    await world.untilDeployed();
    await world.killDaemon();
    await world.startDaemon();
    await untilAgentLooked(world);
  });
  assert.deepEqual(writes, []);

  const [ofAgent] = await proxy.writesDuring(async () => {
    const { Id, State } = await world.engine.inspect('edgeAgent');
    process.kill(State.Pid, 'SIGKILL');
    await until('the agent runs again', async () => {
      const now = await world.engine.inspect('edgeAgent');
      return now.Id === Id && now.State.Running && now.State.Pid !== State.Pid;
    });
    const before = world.reported.lastDesiredVersion;
    world.deploy(deploymentOf(world));
    assert.equal((await world.untilDeployed()).lastDesiredVersion, before + 1);
    await untilAgentLooked(world);
  });
  assert.ok(ofAgent.every((write) => /^POST \S*\/containers\/\w+\/start/.test(write)), ofAgent.join('\n'));
  assert.equal(ofAgent.length, 1, ofAgent.join('\n'));  // the agent itself
});

check('imagePullPolicy never asks no registry, and what is not here is said, with everybody as before', async (world) => {
  const [writes] = await proxy.writesDuring(async () => {
    const deployment = deploymentOf(world);
    deployment.modules.two.imagePullPolicy = 'never';
    deployment.modules.two.settings.image = 'test/two:2';
    world.deploy(deployment);
    await world.untilDeployed();
  });
  assert.ok(!writes.some((write) => write.includes('/images/create')), writes.join('\n'));
  assert.equal((await world.engine.inspect('two')).Config.Image, 'test/two:2');

  const deployment = deploymentOf(world);
  deployment.modules.two.imagePullPolicy = 'never';
  deployment.modules.two.settings.image = 'test/absent:1';
  const before = await world.engine.lives(everybody);
  world.deploy(deployment);
  const { lastDesiredStatus } = await world.untilDeployed(500);
  assert.match(lastDesiredStatus.description, /two.*test\/absent:1.*imagePullPolicy/s);
  assert.deepEqual(await world.engine.lives(everybody), before);
  await change(world, () => {});
});

check('what a deployment names no more is removed, also the hub, and what it names again is back', async (world) => {
  const gone = (name) => until(`${name} is gone`,
    async () => (await world.engine.request('GET', `/containers/${name}/json`)).status === 404, 60);
  const others = everybody.filter((name) => name !== 'two');
  const before = await world.engine.lives(others);
  const deployment = deploymentOf(world);
  delete deployment.modules.two;
  world.deploy(deployment);
  await gone('two');
  const reported = await world.untilDeployed();
  assert.deepEqual(Object.keys(reported.modules).sort(), ['one', 'three']);
  assert.deepEqual(await world.engine.lives(others), before);

  const { edgeAgent } = world.twin('$edgeAgent').properties.desired.systemModules;
  world.deploy({ ...deployment, desired: { systemModules: { edgeAgent } } });
  await gone('edgeHub');
  await world.untilDeployed();
  world.deploy(deploymentOf(world));
  await world.untilRunning(...everybody);
  await world.untilDeployed();
});

check('modules run on while an image comes slowly, and the one of that image is replaced when it is here', async (world) => {
  await world.engine.startRegistry();
  const [host, port] = registryAddress.split(':');
  const slow = new SlowRegistry(Number(slowAddress.split(':')[1]), { host, port });
  await slow.start();
  try {
    const image = await world.engine.publish('test/three:slow', ['/bin/sh'], { address: slowAddress, bytes: 200000 });
    const before = await world.engine.lives(everybody);
    const deployment = deploymentOf(world);
    deployment.modules.three.settings.image = image;
    deployment.modules.one.env.NAME.value = 'with the slow one';
    slow.slow = true;
    world.deploy({ ...deployment, registryCredentials: { slow: { address: slowAddress, ...credentials } } });
    await until('the image trickles', () => slow.trickled > 20000, 60);
    assert.deepEqual(await world.engine.lives(everybody), before);
    const states = await world.modules();
    assert.ok(everybody.every((name) => states[name].state === 'running'));
    // A module that ends meanwhile is started again.
    process.kill((await world.engine.inspect('two')).State.Pid, 'SIGKILL');
    await until('it was started again', async () => {
      const { State } = await world.engine.inspect('two');
      return State.Running && !before.two.includes(State.StartedAt);
    });
    assert.ok(world.reported.lastDesiredStatus.code !== 200);
    slow.slow = false;
    await world.untilDeployed();
    await world.untilRunning(...everybody);
    const now = await world.engine.lives(everybody);
    for (const name of system) assert.equal(now[name], before[name], name);
    assert.equal((await world.engine.inspect('three')).Config.Image, image);
    assert.ok((await world.engine.inspect('one')).Config.Env.includes('NAME=with the slow one'));
  } finally {
    slow.close();
  }
});
after(() => proxy?.close());
