// Agent and hub as containers, the daemon beside them: size of the images, what they have in common, and what all three
// cost idle, 60 s after the deployment is reported; what agent and daemon cost when they watch 20 modules. Runs in tests/e2e/moby/in_engine.
import fs from 'node:fs';
import { ContainerWorld, steady } from '../tests/e2e/moby/containers.mjs';
import { idle, kilobytes, megabytes, processes, separateCloud, verdict } from './processes.mjs';

const idleSeconds = Number(process.env.SKERRY_IDLE_SECONDS ?? 60);
const world = new ContainerWorld('containers');
const modules = Array.from({ length: 20 }, (_, i) => `module${i + 1}`);

try {
  await world.startEngine();
  const images = await Promise.all(['agent', 'hub'].map((role) => world.engine.ask('GET', `/images/skerry/${role}:latest/json`)));
  images.forEach(({ RepoTags, Size }) => console.log(`${RepoTags[0]}: ${(Size / 1e6).toFixed(1)} MB (target: under 30 MB)`));
  const [agentLayers, hubLayers] = images.map(({ RootFS }) => RootFS.Layers);
  console.log(`layers in common: ${agentLayers.filter((layer) => hubLayers.includes(layer)).length} of ${agentLayers.length}; ` +
    `on disk both: ${(images[0].Size / 1e6).toFixed(1)} MB`);

  separateCloud(world);
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: { all: 'FROM /messages/* INTO $upstream' } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub');
  await world.untilDeployed();
  const [agent, hub] = await Promise.all(['edgeAgent', 'edgeHub'].map(async (name) => (await world.engine.inspect(name)).State.Pid));
  const { daemon, agent: one, hub: other, sum } = await idle({ daemon: [world.daemon.pid], agent: [agent], hub: [hub] }, idleSeconds);
  console.log(`agent and hub share ${megabytes(kilobytes(agent, 'Shared_Clean'))} MB of clean pages: the executable is mapped once`);
  console.log(`daemon + agent: PSS ${megabytes(daemon.pss + one.pss)} MB, CPU ${(daemon.cpu + one.cpu).toFixed(3)} % of a core; ` +
    `agent + hub: PSS ${megabytes(one.pss + other.pss)} MB; all three ${megabytes(sum.pss)} MB`);
  const engine = processes((pid) => /^(dockerd|containerd|docker-proxy)/.test(fs.readFileSync(`/proc/${pid}/comm`, 'utf8')));
  console.log(`beside them, the engine itself (dockerd, containerd, a shim per container): PSS ` +
    `${megabytes(engine.reduce((total, pid) => total + kilobytes(pid, 'Pss'), 0))} MB`);

  world.deploy({ routes: {}, modules: Object.fromEntries(modules.map((name) => [name, world.shell(steady)])) });
  await world.untilDeployed();
  await world.untilRunning(...modules);
  console.log(`with ${modules.length} modules that do nothing:`);
  const watching = await idle({ daemon: [world.daemon.pid], agent: [agent] }, idleSeconds);
  console.log(`daemon + agent, ${modules.length} containers: CPU ${watching.sum.cpu.toFixed(3)} % of a core ` +
    `(target: under 0.1 %, ${verdict(watching.sum.cpu, 0.1)})`);
} finally {
  await world.close();
}
