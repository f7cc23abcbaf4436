// The table of bench/brokers.mjs, for the terminal and for docs/benchmarks.md.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repository } from '../tests/e2e/world.mjs';

const heads = ['row', 'unit', 'class', 'Skerry', 'mosquitto', 'mosquitto persistent', 'ratio', 'ratio persistent', 'target', ''];
const widths = [52, 10, 6, 10, 10, 10, 7, 7, 10, 0];

const number = (value, digits) => Number.isFinite(value)
  ? value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '–';

// "met", or by how much it is not. Targets: "≥ 2 ×" compares the ratio with mosquitto, "≤ 1.15" the value itself.
export function verdict({ target, values, ratios }) {
  const parsed = /^([≥≤<]) ([\d.,]+)( ×)?$/.exec(target ?? '');
  if (!parsed) return '';
  const goal = Number(parsed[2].replaceAll(',', ''));
  const reached = parsed[3] ? (Number.isFinite(ratios[0]) ? ratios[0] : ratios[1]) : values[0];
  if (!Number.isFinite(reached)) return 'not measured';
  if (parsed[1] === '≥' ? reached >= goal : reached <= goal) return 'met';
  return `missed: ${number(reached / goal, 2)} × the target`;
}

const cells = (row) => [row.name, row.unit, row.durability, ...row.values.map((value) => number(value, row.digits)),
  ...row.ratios.map((ratio) => number(ratio, 2)), row.target, verdict(row)];

export function table(rows, head) {
  const lines = head ? [heads, ...rows.map(cells)] : rows.map(cells);
  return lines.map((line) => line.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])))
    .join(' ')).join('\n');
}

function machine() {
  const cpu = /model name\s*:\s*(.*)/.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
  const files = execFileSync('df', ['--output=fstype,source', repository], { encoding: 'utf8' }).trim().split('\n').at(-1);
  return `${cpu}, ${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GB; Linux ${os.release()}; ${files.trim().split(/\s+/)[0]}`;
}
const version = (command, args, pattern) => {
  try { return pattern.exec(execFileSync(command, args, { encoding: 'utf8' }))?.[0]; } catch (error) {
    return pattern.exec(`${error.stdout}`)?.[0] ?? '';
  }
};

// Keeps what people wrote below the marker (profiles, what would close a gap).
const marker = '<!-- below: written by hand -->';

export function writeDocument(rows, { rounds, command, durability }) {
  const file = path.join(repository, 'docs/benchmarks.md');
  const kept = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split(marker)[1] ?? '\n' : '\n';
  const lines = [
    '# Benchmarks', '',
    'Skerry\'s hub against Debian\'s mosquitto, in one run, in alternation, with our own load generator (`bench/load`).',
    `Medians of ${rounds} rounds; a ratio is the median of the rounds' ratios (Skerry / mosquitto). Written by \`${command}\`.`, '',
    `* Machine: ${machine()}`,
    `* Date: ${new Date().toISOString().slice(0, 10)}; ${version('dpkg-query', ['-W', 'mosquitto'], /\S+\s+\S+/)}`,
    `* Skerry: clients with SAS tokens from the scope cache, published on a module output, one conditional route into one`,
    `  input, durability class of the hub \`${durability}\`, store below \`build/\`. Plain TCP through SKERRY_MQTT_PLAIN_LISTEN.`,
    '* mosquitto: `max_inflight_messages 100`, `max_queued_messages 0`, acks from memory; once without and once with `persistence`',
    '  (which writes when it ends, and every half hour). Same topics, same clients.',
    '* "written per byte": `write_bytes` of /proc/PID/io per byte of PUBLISH packets, topic (with the properties) and all. CPU: /proc/PID/stat. Generator CPU is its own.', '',
    `| ${heads.join(' | ')} |`, `|${heads.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${cells(row).join(' | ')} |`), '',
  ];
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${lines.join('\n')}\n${marker}${kept}`);
  console.log(`written: ${path.relative(process.cwd(), file)}`);
}
