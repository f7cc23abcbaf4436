// Idle memory of daemon + agent + hub as host processes of one executable, 60 s after the last module started:
// PSS from smaps_rollup (what they really cost, shared pages shared), RSS beside it. No sample modules.
import fs from 'node:fs';
import { World, until } from '../tests/e2e/world.mjs';

const idleSeconds = Number(process.env.SKERRY_IDLE_SECONDS ?? 60);
const world = new World('footprint');

function kilobytes(pid, file, field) {
  const line = fs.readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\n').find((text) => text.startsWith(`${field}:`));
  return Number(/(\d+) kB/.exec(line)[1]);
}
const ticks = (pid) => {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

try {
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: { all: 'FROM /messages/* INTO $upstream' } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub');
  await until('the deployment is reported', () => world.twin('$edgeAgent').properties.reported.lastDesiredStatus?.code === 200);
  const shims = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      // Only those of this world: others have another network namespace.
      return fs.readlinkSync(`/proc/${pid}/ns/net`) === fs.readlinkSync('/proc/self/ns/net') &&
        fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('module-shim');
    } catch {
      return false;
    }
  });
  const roles = { daemon: [world.daemon.pid], agent: [world.pid('agent')], hub: [world.pid('hub')], shims };
  const cpu = Object.fromEntries(Object.entries(roles).map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + ticks(pid), 0)]));
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));

  let pssSum = 0;
  let rssSum = 0;
  console.log(`process     PSS kB   RSS kB   CPU % of a core over ${idleSeconds} s`);
  for (const [name, pids] of Object.entries(roles)) {
    const pss = pids.reduce((sum, pid) => sum + kilobytes(pid, 'smaps_rollup', 'Pss'), 0);
    const rss = pids.reduce((sum, pid) => sum + kilobytes(pid, 'smaps_rollup', 'Rss'), 0);
    const percent = pids.reduce((sum, pid) => sum + ticks(pid), 0) - cpu[name];
    pssSum += pss;
    rssSum += rss;
    console.log(`${name.padEnd(8)} ${String(pss).padStart(9)} ${String(rss).padStart(8)} ${(percent / idleSeconds).toFixed(2).padStart(8)}`);
  }
  console.log(`sum      ${String(pssSum).padStart(9)} ${String(rssSum).padStart(8)}   (shims: one small process a module)`);
  console.log(`PSS in sum: ${(pssSum / 1000).toFixed(1)} MB (target: under 20 MB)`);
} finally {
  await world.close();
}
