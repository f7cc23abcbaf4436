// The main job on a real container engine: agent, hub, sensor and filter as containers, the daemon beside them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { until, untilAllArrived, sensorToFilter, filterToCloud } from '../world.mjs';
import { withContainers } from './containers.mjs';
import { credentials, registryAddress } from './engine.mjs';

const everybody = ['edgeAgent', 'edgeHub', 'sensor', 'filter'];
const reported = (world) => world.twin('$edgeAgent').properties.reported;

function deploymentOf(world) {
  return {
    routes: { sensorToFilter, filterToCloud },
    modules: { sensor: world.accountant('skerry/sensor', 'sensor'), filter: world.accountant('skerry/filter', 'filter') },
    twins: { sensor: { SendInterval: 0.1 }, filter: { TemperatureThreshold: 0 } },
  };
}
async function startAll(world) {
  await world.startCloud();
  world.createDevice();
  world.deploy(deploymentOf(world));
  await world.startDaemon();
  await world.untilRunning(...everybody);
}
const idOf = async (world, name) => (await world.engine.inspect(name)).Id;

// What the engine says is in the support bundle, but for secrets.
async function bundleOf(world) {
  const archive = path.join(world.root, 'bundle.zip');
  world.cli('support-bundle', '-q', '-o', archive, '-H', `unix://${world.management}`);
  const program = 'import sys,json,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n' +
    'print(json.dumps({n:z.read(n).decode("utf-8","replace") for n in z.namelist()}))';
  const files = JSON.parse(execFileSync('python3', ['-c', program, archive], { encoding: 'utf8', maxBuffer: 1 << 28 }));
  const [hub] = JSON.parse(files['inspect/edgeHub.json']);
  assert.equal(hub.Id, await idOf(world, 'edgeHub'));
  assert.ok(hub.Config.Env.every((one) => one.endsWith('=****')));
  const [network] = JSON.parse(files['network/azure-iot-edge.json']);
  assert.ok(Object.values(network.Containers).some(({ Name }) => Name === 'edgeHub'));
  const { checks, additional_info: info } = JSON.parse(files['check.json']);
  assert.equal(checks['container-engine-uri'].result, 'ok');
  assert.match(info.docker_version, /^\d+\.\d+/);
}

test('sensor, filter and hub as containers: all that was sent arrives, and the containers are as documented', async () => {
  await withContainers('moby', async (world) => {
    await startAll(world);
    await untilAllArrived(world, 20);
    await until('the deployment is reported', () => reported(world).lastDesiredStatus?.code === 200);

    const hub = await world.engine.inspect('edgeHub');
    assert.deepEqual(hub.NetworkSettings.Networks['azure-iot-edge'].Aliases.includes('edge-gateway'), true);
    assert.equal(hub.Config.Labels['net.azure-devices.edge.owner'], 'Microsoft.Azure.Devices.Edge.Agent');
    assert.equal(hub.Config.Labels['net.azure-devices.edge.original-image'], 'skerry/hub:latest');
    assert.equal(hub.HostConfig.RestartPolicy.Name, '');
    assert.ok(hub.Mounts.some(({ Destination }) => Destination === '/var/run/iotedge'));
    assert.ok(hub.Mounts.some(({ Destination }) => Destination === '/var/lib/skerry'));
    assert.ok(hub.Config.Env.includes('IOTEDGE_WORKLOADURI=unix:///var/run/iotedge/workload.sock'));

    // The packaged images: small, and with one common layer.
    const images = await Promise.all(['agent', 'hub'].map((role) =>
      world.engine.ask('GET', `/images/skerry/${role}:latest/json`)));
    for (const { Size } of images) assert.ok(Size < 30e6, `${Size} bytes`);
    assert.deepEqual(images[0].RootFS.Layers, images[1].RootFS.Layers);

    const list = world.cli('list', '-H', `unix://${world.management}`);
    for (const name of everybody) assert.match(list, new RegExp(`${name}\\s+running`));
    assert.match(world.cli('logs', 'edgeHub', '-H', `unix://${world.management}`), /\[INF\]/);
    const { body: info } = await world.request('GET', '/systeminfo');
    assert.match(info.server_version, /^\d+\.\d+/);
    const { body: resources } = await world.request('GET', '/systeminfo/resources');
    assert.equal(JSON.parse(resources.docker_stats).length, 4);
    await bundleOf(world);
  });
});

test('containers and their messages do not notice that the daemon is killed and starts again', async () => {
  await withContainers('moby-daemon', async (world) => {
    await startAll(world);
    await untilAllArrived(world, 5);
    const before = await Promise.all(everybody.map((name) => idOf(world, name)));
    const pids = await Promise.all(everybody.map(async (name) => (await world.engine.inspect(name)).State.Pid));
    await world.killDaemon();
    await untilAllArrived(world, 5);
    await world.startDaemon();
    await untilAllArrived(world, 5);
    assert.deepEqual(await Promise.all(everybody.map((name) => idOf(world, name))), before);
    assert.deepEqual(await Promise.all(everybody.map(async (name) => (await world.engine.inspect(name)).State.Pid)), pids);
    // The sockets were made anew: a module that starts now gets its token through them, and the agent is served.
    await world.request('POST', '/modules/sensor/restart');
    await untilAllArrived(world, 5);
    world.updateTwin('sensor', { SendInterval: 0.2 });
    const again = deploymentOf(world);
    again.modules.filter.env.NEW = { value: '1' };
    world.deploy(again);
    await until('the filter is made anew', async () => (await idOf(world, 'filter')) !== before[3], 60);
    await untilAllArrived(world, 5);
  });
});

test('a daemon that starts before its engine waits and says so; an engine that restarts gets everything back', async () => {
  await withContainers('moby-engine', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.deploy(deploymentOf(world));
    await world.engine.stop();
    world.daemon = world.start('daemon', ['daemon', '-c', path.join(world.root, 'config.toml')]);
    await until('the daemon says what it waits for', () =>
      /waiting for the container engine: .*docker\.sock/.test(fs.readFileSync(world.log('daemon'), 'utf8')));
    await world.engine.start();
    await until('the daemon answers', () => world.modules(), 120);
    await world.untilRunning(...everybody);
    await untilAllArrived(world, 5);

    await world.engine.stop();
    await until('the daemon notices', () => /the container engine's events ended/
      .test(fs.readFileSync(world.log('daemon'), 'utf8')));
    await world.engine.start();
    await until('everybody runs again', async () => {
      const modules = await world.modules();
      return everybody.every((name) => modules[name]?.state === 'running');
    }, 180);
    await untilAllArrived(world, 5);
    assert.equal(world.daemon.exitCode, null);
  });
});

test('an image of a private registry is pulled with the credentials of the deployment, and a refusal is reported', async () => {
  await withContainers('moby-registry', async (world) => {
    await world.engine.startRegistry();
    const image = await world.engine.publish('skerry/sensor:1', ['/bin/sensor']);
    await world.startCloud();
    world.createDevice();
    const deployment = deploymentOf(world);
    deployment.modules.sensor.settings.image = image;
    world.deploy({ ...deployment, registryCredentials: {
      ours: { address: registryAddress, ...credentials, password: 'wrong' } } });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'filter');
    const status = await until('the refusal is reported', () => {
      const { lastDesiredStatus } = reported(world);
      return lastDesiredStatus?.code === 500 && lastDesiredStatus;
    }, 60);
    assert.match(status.description, /sensor/);
    assert.match(status.description, /skerry\/sensor:1/);
    assert.doesNotMatch(JSON.stringify(reported(world)), /"password":"wrong"/);

    world.deploy({ ...deployment, registryCredentials: { ours: { address: registryAddress, ...credentials } } });
    await world.untilRunning(...everybody);
    await untilAllArrived(world, 5);
    assert.equal((await world.engine.inspect('sensor')).Config.Image, image);
  });
});
