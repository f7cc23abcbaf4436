// What processes cost: memory from smaps_rollup, time on the processor to the nanosecond, of all their threads.
import fs from 'node:fs';
import path from 'node:path';
import { skerry } from '../tests/e2e/world.mjs';

export function kilobytes(pid, field) {
  const line = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').split('\n').find((text) => text.startsWith(`${field}:`));
  return Number(/(\d+) kB/.exec(line)[1]);
}
export function cpuSeconds(pid) {
  return fs.readdirSync(`/proc/${pid}/task`)
    .reduce((sum, thread) => sum + Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]), 0) / 1e9;
}
// The processes that `matches(pid)`; one that is gone meanwhile does not.
export const processes = (matches) => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
  try {
    return matches(pid);
  } catch {
    return false;
  }
});
// The cloud shares no page with what is measured: on a device it is not there.
export function separateCloud(world) {
  world.programs.cloud = path.join(world.root, 'skerry-of-the-cloud');
  fs.copyFileSync(skerry, world.programs.cloud);
}

const total = (pids, of) => pids.reduce((sum, pid) => sum + of(pid), 0);

// Lets the roles ({name: [pid, …]}) idle and prints a line for each and one for all. Returns {name: {pss, rss, cpu}},
// in MB and in % of a core.
export async function idle(roles, seconds) {
  const before = Object.entries(roles).map(([, pids]) => total(pids, cpuSeconds));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  console.log(`process     PSS kB   RSS kB   CPU % of a core over ${seconds} s`);
  const result = {};
  const line = (name, { pss, rss, cpu }) =>
    console.log(`${name.padEnd(8)} ${String(pss).padStart(9)} ${String(rss).padStart(8)} ${cpu.toFixed(3).padStart(8)}`);
  const sum = { pss: 0, rss: 0, cpu: 0 };
  Object.entries(roles).forEach(([name, pids], i) => {
    result[name] = { pss: total(pids, (pid) => kilobytes(pid, 'Pss')), rss: total(pids, (pid) => kilobytes(pid, 'Rss')),
      cpu: (total(pids, cpuSeconds) - before[i]) / seconds * 100 };
    line(name, result[name]);
    for (const what of Object.keys(sum)) sum[what] += result[name][what];
  });
  line('sum', sum);
  return { ...result, sum };
}
export const megabytes = (kB) => (kB * 1.024 / 1000).toFixed(1);
export const verdict = (value, limit) => (value < limit ? 'met' : 'missed');
