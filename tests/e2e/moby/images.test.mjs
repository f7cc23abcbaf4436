// Images that modules do not need any more are cleared away, and only those; logs have bounds.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { until } from '../world.mjs';
import { withContainers } from './containers.mjs';
import { credentials, registryAddress } from './engine.mjs';

const forever = ['/bin/sh', '-c', 'while true; do /bin/sleep 1000; done'];
const reported = (world) => world.twin('$edgeAgent').properties.reported;

function deploy(world, image, { policy, modules } = {}) {
  const module = world.module('unused');
  module.settings.image = image;
  world.deployContent({ modulesContent: {
    $edgeAgent: { 'properties.desired': { schemaVersion: '1.1',
      ...(policy ? { deploymentPolicy: policy } : {}),
      runtime: { type: 'docker', settings: { registryCredentials: { ours: { address: registryAddress, ...credentials } } } },
      systemModules: {
        edgeAgent: { type: 'docker', settings: { image: 'skerry/agent:latest' } },
        edgeHub: { type: 'docker', status: 'running', restartPolicy: 'always', settings: { image: 'skerry/hub:latest' } },
      },
      modules: modules ?? { app: module } } },
    $edgeHub: { 'properties.desired': { schemaVersion: '1.1', routes: {},
      storeAndForwardConfiguration: { timeToLiveSecs: 7200 } } },
  } });
}
const imageIds = async (world) => JSON.parse(await world.engine.ask('GET', '/images/json')).map(({ Id }) => Id);
const imageId = async (world, name) => (await world.engine.inspect(name)).Image;
const configure = (world, ...lines) => fs.appendFileSync(path.join(world.root, 'config.toml'), `${lines.join('\n')}\n`);
const state = (world) => fs.readFileSync(path.join(world.root, 'edge', 'gc', 'image_use'), 'utf8');
async function untilRuns(world, image) {
  await until(`app runs ${image}`, async () => {
    const { Config, State } = await world.engine.inspect('app');
    return State.Running && Config.Image === image;
  }, 120);
}
async function startAll(world, ...config) {
  await world.engine.startRegistry();
  const images = [];
  const scripts = { 1: `# 1\n${forever[2]}`, 2: `# 2\n${forever[2]}`, bad: '/bin/sleep 6; echo no good; exit 1' };
  for (const [tag, script] of Object.entries(scripts)) {
    images.push(await world.engine.publish(`skerry/m:${tag}`, ['/bin/sh', '-c', script]));
  }
  await world.startCloud();
  world.createDevice();
  configure(world, ...config);
  deploy(world, images[0], { policy: { probationSeconds: 1 } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub', 'app');
  return images;
}

test('an image that no module needs is removed; used ones, others\' and the agent\'s stay', async () => {
  await withContainers('images', async (world) => {
    const [one, two] = await startAll(world, '[image_garbage_collection]', 'cleanup_recurrence = "2s"',
      'image_age_cleanup_threshold = "1s"', '[skerry.images]', 'rollback_reserve = "4s"');
    const first = await imageId(world, 'app');
    assert.match(state(world), new RegExp(`^${first} \\d{10}$`, 'm'));
    const others = (await imageIds(world)).filter((id) => id !== first);

    // A container of somebody else keeps an image, too; nothing is forced.
    await world.engine.ask('POST', '/containers/create?name=theirs', { Image: one });
    deploy(world, two, { policy: { probationSeconds: 1 } });
    await untilRuns(world, two);
    const second = await imageId(world, 'app');
    assert.notEqual(second, first);
    await new Promise((resolve) => setTimeout(resolve, 10_000));  // several runs
    assert.ok((await imageIds(world)).includes(first));

    await world.engine.ask('DELETE', '/containers/theirs');
    await until('the old image is removed', async () => !(await imageIds(world)).includes(first), 60);
    const left = await imageIds(world);
    for (const id of [...others, second]) assert.ok(left.includes(id), id);
    await until('it is forgotten', () => !state(world).includes(first));
    assert.ok(state(world).includes(second));
    assert.match(world.cli('list', '-H', `unix://${world.management}`), /app\s+running/);
  });
});

test('what a rollback needs is kept while a deployment is on trial, however short the threshold', async () => {
  await withContainers('images-rollback', async (world) => {
    const [one, , bad] = await startAll(world, '[image_garbage_collection]', 'cleanup_recurrence = "1s"',
      'image_age_cleanup_threshold = "0s"');
    await until('the first deployment is good', () => reported(world).lastDesiredStatus?.code === 200, 60);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const first = await imageId(world, 'app');
    deploy(world, bad, { policy: { probationSeconds: 60, failuresAllowed: 0 } });
    await untilRuns(world, bad);  // for 6 s, with several runs of the garbage collection
    await world.engine.stopRegistry();
    await untilRuns(world, one);
    assert.equal(await imageId(world, 'app'), first);
    await until('the rollback is reported', () => reported(world).rollback?.module === 'app', 60);
  });
});

test('logs have bounds, unless createOptions choose others', async () => {
  await withContainers('images-logs', async (world) => {
    await world.engine.makeImage('skerry/idle:1', forever);
    await world.startCloud();
    world.createDevice();
    configure(world, '[skerry.logs]', 'max_size = "2m"', 'max_files = 4');
    const module = (options) => {
      const made = world.module('skerry/idle');
      made.settings = { image: 'skerry/idle:1', createOptions: JSON.stringify(options) };
      return made;
    };
    deploy(world, '', { modules: {
      plain: module({ HostConfig: { RestartPolicy: { Name: 'always' } } }),
      local: module({ HostConfig: { LogConfig: { Type: 'local' } } }),
      own: module({ HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } } } }),
    } });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'plain', 'local', 'own');
    const logOf = async (name) => (await world.engine.inspect(name)).HostConfig.LogConfig;
    const bounded = { Type: 'json-file', Config: { 'max-size': '2m', 'max-file': '4' } };
    for (const name of ['edgeAgent', 'edgeHub', 'plain']) assert.deepEqual(await logOf(name), bounded, name);
    assert.deepEqual(await logOf('local'), { Type: 'local', Config: {} });
    assert.deepEqual(await logOf('own'), { Type: 'json-file', Config: { 'max-size': '1m' } });
    assert.equal((await world.engine.inspect('plain')).HostConfig.RestartPolicy.Name, '');
    assert.match(fs.readFileSync(world.log('daemon'), 'utf8'), /module plain: HostConfig\.RestartPolicy 'always' is left out/);
  });
});
