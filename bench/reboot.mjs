// From a reboot (every process of the runtime and of its modules is killed, then the daemon is started) until all twenty
// modules, agent and hub run: as the management API says, asked ten times a second. With the cloud there, and with it away.
// As plain processes; in tests/e2e/moby/in_engine as containers: there dockerd is started at the same moment, its mounts,
// bridges and /run are gone as after a boot, and two floors are measured, without agent and daemon: twenty-two containers
// started one after the other, and all at once.
import { until, World } from '../tests/e2e/world.mjs';
import { ContainerWorld, steady } from '../tests/e2e/moby/containers.mjs';

const rounds = Number(process.env.SKERRY_ROUNDS ?? 3);
const names = Array.from({ length: 20 }, (_, i) => `m${i + 1}`);
const all = ['edgeAgent', 'edgeHub', ...names];
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const inContainers = Boolean(process.env.SKERRY_ENGINE_DATA);
const world = inContainers ? new ContainerWorld('reboot') : new World('reboot');

async function boot() {
  const begin = performance.now();
  world.daemon = world.start('daemon', ['daemon', '-c', `${world.root}/config.toml`]);
  const engine = inContainers ? world.engine.start().then(() => performance.now() - begin) : 0;
  let last = 0;
  await until('all run', async () => {
    if (performance.now() - last < 100) return false;
    last = performance.now();
    const modules = await world.modules();
    return all.every((name) => modules[name]?.state === 'running');
  }, 300);
  return { seconds: (performance.now() - begin) / 1000, engine: await engine / 1000 };
}
const off = () => (inContainers ? world.cutPower() : world.powerOff());
function tell(what, results) {
  const seconds = results.map((one) => one.seconds);
  const engine = inContainers ? `, of that dockerd itself ${median(results.map((one) => one.engine)).toFixed(1)} s` : '';
  console.log(`${what}: median ${median(seconds).toFixed(1)} s, worst ${Math.max(...seconds).toFixed(1)} s of ${rounds}${engine}`);
}

// The engine alone: what a start costs whatever starts it.
async function floor(what, run) {
  await off();
  await world.engine.start();
  const begin = performance.now();
  await run((name) => world.engine.ask('POST', `/containers/${name}/start`));
  console.log(`floor, the engine alone starts them ${what}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

try {
  console.log(`reboot to twenty modules, agent and hub as ${inContainers ? 'containers' : 'processes'}`);
  if (inContainers) {
    await world.startEngine();
    await world.engine.makeImage('bench/steady', ['/bin/sh', '-c', steady]);
  } else {
    world.bundle('bench/steady', ['/bin/sleep', '100000']);
  }
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: {}, modules: Object.fromEntries(names.map((name) => [name, world.module('bench/steady')])) });
  await world.startDaemon();
  await until('all run', async () => {
    const modules = await world.modules();
    return all.every((name) => modules[name]?.state === 'running');
  }, 300);
  await until('the deployment has proved itself', () => /has proved itself/.test(world.moduleLog('edgeAgent')), 120);

  for (const cloud of [true, false]) {
    const results = [];
    for (let round = 0; round < rounds; ++round) {
      await off();
      if (world.cloud.exitCode === null && world.cloud.signalCode === null && !cloud) await world.stopCloud('SIGKILL');
      if (cloud && (world.cloud.exitCode !== null || world.cloud.signalCode !== null)) await world.startCloud();
      results.push(await boot());
    }
    tell(cloud ? 'with the cloud' : 'with the cloud away', results);
  }
  if (inContainers) {
    await floor('one after the other', async (start) => { for (const name of all) await start(name); });
    await floor('all at once', (start) => Promise.all(all.map(start)));
  }
} finally {
  await world.close();
}
