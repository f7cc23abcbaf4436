// Idle memory and processor time of daemon, agent and hub as host processes of one executable, 60 s after the last
// module started: PSS (what they really cost, shared pages shared), RSS beside it. No sample modules.
import fs from 'node:fs';
import { World, until } from '../tests/e2e/world.mjs';
import { idle, megabytes, processes, separateCloud, verdict } from './processes.mjs';

const idleSeconds = Number(process.env.SKERRY_IDLE_SECONDS ?? 60);
const world = new World('footprint');

try {
  separateCloud(world);
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: { all: 'FROM /messages/* INTO $upstream' } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub');
  await until('the deployment is reported', () => world.twin('$edgeAgent').properties.reported.lastDesiredStatus?.code === 200);
  // Only those of this world: others have another network namespace.
  const shims = processes((pid) => fs.readlinkSync(`/proc/${pid}/ns/net`) === fs.readlinkSync('/proc/self/ns/net') &&
    fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('module-shim'));
  const roles = { daemon: [world.daemon.pid], agent: [world.pid('agent')], hub: [world.pid('hub')], shims };
  const { daemon, agent, sum } = await idle(roles, idleSeconds);
  const [pss, cpu] = [daemon.pss + agent.pss, daemon.cpu + agent.cpu];
  console.log(`daemon + agent: PSS ${megabytes(pss)} MB (target: under 12 MB, ${verdict(pss * 1.024 / 1000, 12)}), ` +
    `CPU ${cpu.toFixed(3)} % of a core (target: under 0.1 %, ${verdict(cpu, 0.1)})`);
  console.log(`all: PSS ${megabytes(sum.pss)} MB (target: under 20 MB); shims: one small process a module`);
} finally {
  await world.close();
}
