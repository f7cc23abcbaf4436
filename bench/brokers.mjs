// Skerry's hub against Debian's mosquitto, in the same run and in alternation; medians of the rounds, ratios of each round.
// usage: ./dev bench brokers [--quick] [--only=throughput,latency,connections,idle,backlog] [--rounds=N]
//        [--durability=disk|os|memory] [--sizes=BYTES,…]
// Prints the rows as they come; without --quick, --only, --sizes and --durability it writes docs/benchmarks.md.
import { Skerry, Mosquitto, load, topic, pssKilobytes, rssKilobytes } from './broker_servers.mjs';
import { table, writeDocument } from './broker_report.mjs';

const option = (name, fallback) => {
  const found = process.argv.find((text) => text === `--${name}` || text.startsWith(`--${name}=`));
  return found === undefined ? fallback : found.split('=')[1] ?? true;
};
const quick = option('quick', false);
const rounds = Number(option('rounds', quick ? 1 : 3));
const only = option('only', '').split(',').filter(Boolean);
const durability = option('durability', 'disk');  // what the hub does with every message
const publishers = quick ? 20 : 97;  // a device has 100 modules at most: agent, hub and subscriber are three
const seconds = quick ? 0.7 : 2;
const sizes = String(option('sizes', quick ? '256' : '256,1024,65536')).split(',').map(Number);
const backlog = quick ? 50_000 : 1_000_000;

const skerry = new Skerry({ SKERRY_DURABILITY: durability });
const memory = new Mosquitto(false, 18840);
const persistent = new Mosquitto(true, 18850);
const servers = [skerry, memory, persistent];
const rows = [];

// Of those that were measured at all.
function median(values) {
  const measured = values.filter(Number.isFinite).sort((a, b) => a - b);
  return measured.length ? measured[Math.floor(measured.length / 2)] : NaN;
}
const wanted = (section) => !only.length || only.includes(section);

// The first `count` publishers and the subscriber, in the generator's order.
const clients = (count) => [...skerry.accounts.slice(0, count), skerry.accounts.at(-1)];

// `measure(server)` gives {figure: number}; a row has the medians of all rounds per server, and of the ratios.
async function row(name, unit, target, measure, figures) {
  const seen = new Map(servers.map((server) => [server, []]));
  for (let round = 0; round < rounds; ++round) {
    // Who goes first changes: nobody always has the warm or the cold machine.
    const order = round % 2 ? [...servers].reverse() : servers;
    for (const server of order) seen.get(server).push(await measure(server));
  }
  for (const [figure, label, digits, figureUnit, goal] of figures) {
    const values = servers.map((server) => median(seen.get(server).map((one) => one[figure])));
    const ratio = (other) => median(seen.get(skerry).map((one, i) => one[figure] / seen.get(other)[i][figure]));
    rows.push({ name: `${name}${label}`, unit: figureUnit ?? unit, durability, target: goal ?? target ?? '', digits: digits ?? 0,
      values, ratios: [ratio(memory), ratio(persistent)] });
    console.log(table([rows.at(-1)], false));
  }
}

function checked(server, result) {
  if (result.error && server === skerry) throw new Error(`${server.name}: ${result.error}`);
  if (result.error) console.log(`  NOTE ${server.name}: ${result.error}`);
  if (result.ended !== 'complete' || result.lost || result.duplicates || result.outOfOrder)
    console.log(`  NOTE ${server.name}: ended ${result.ended}, ${result.lost} lost, ${result.duplicates} duplicates, ` +
      `${result.outOfOrder} out of order`);
  return result;
}

// A message as a publisher sends it, with its topic and so its properties: fixed header, length of the topic, id.
function publishBytes(size) {
  const body = 2 + topic.replace('{n}', '0').length + 2 + size;
  return 1 + (body < 128 ? 1 : body < 16384 ? 2 : 3) + body;
}

async function flow(server, transport, count, args) {
  const result = checked(server, await load(server, transport, ['--persistent', '--publishers', String(count),
    '--subscribers', '1', ...args.map(String)], clients(count)));
  if (result.error) return {};  // the others can still be compared
  return { rate: result.receivedPerSecond, cpu: result.serverCpu / result.received * 1e6, own: result.ownCpuSecondsPerMillion,
    ack50: result.ackLatencyUs.p50, ack99: result.ackLatencyUs.p99, ack999: result.ackLatencyUs.p999,
    ackMax: result.ackLatencyUs.max, delivery50: result.deliveryLatencyUs.p50, delivery99: result.deliveryLatencyUs.p99,
    delivery999: result.deliveryLatencyUs.p999, deliveryMax: result.deliveryLatencyUs.max,
    amplification: result.serverWritten / (result.received * publishBytes(result.size)) };
}

async function throughput() {
  for (const transport of quick ? ['plain'] : ['plain', 'tls']) {
    for (const count of [1, publishers]) {
      for (const size of sizes) {
        const args = ['--size', size, '--window', count === 1 ? 100 : 20, '--warmup', seconds / 4, '--seconds', seconds];
        const name = `QoS 1, ${size} B, ${count}→1, ${transport}`;
        const small = size === 256;
        await row(name, 'msg/s', small ? '≥ 2 ×' : '', (server) => flow(server, transport, count, args), [
          ['rate', ''], ['cpu', ', server CPU', 2, 's/million', small ? '≤ 0.33 ×' : ''],
          ['own', ', generator CPU', 2, 's/million', ''],
          ['amplification', ', written per byte', 2, 'B/B', small ? '≤ 1.15' : ''],
        ]);
      }
    }
  }
}

async function latency() {
  for (const rate of [1000, 10000]) {
    const args = ['--rate', rate, '--window', 1000, '--warmup', seconds / 4, '--seconds', seconds * 2];
    await row(`${rate} msg/s, 256 B`, 'µs', '', (server) => flow(server, 'plain', 1, args), [
      ...['50', '99', '999', 'Max'].map((p) => [`delivery${p}`, `, delivery ${p === 'Max' ? 'max' : `p${p}`}`]),
      ...['50', '99', '999', 'Max'].map((p) => [`ack${p}`, `, ack ${p === 'Max' ? 'max' : `p${p}`}`]),
      ['cpu', ', server CPU', 2, 's/million'],
    ]);
  }
}

async function connections() {
  for (const transport of ['tls', 'plain']) {
    await row(`new connections, ${transport}`, '1/s', '', async (server) => {
      const result = await load(server, transport, ['--mode', 'connect', '--seconds', String(seconds)], clients(publishers));
      return { rate: result.admittedPerSecond, cpu: result.serverCpu / result.admitted * 1e3, p99: result.latencyUs.p99 / 1000 };
    }, [['rate', ''], ['cpu', ', server CPU', 2, 'ms each'], ['p99', ', p99', 1, 'ms']]);
  }
}

async function idle() {
  await row('memory idle, no client (PSS)', 'kB', '', async (server) => ({ pss: pssKilobytes(server.pid()) }), [['pss', '']]);
  for (const transport of ['plain', 'tls']) {
    await row(`memory per idle connection, ${transport}`, 'kB', '', async (server) => {
      const before = pssKilobytes(server.pid());
      let held = before;
      await load(server, transport, ['--mode', 'idle', '--connections', String(publishers), '--seconds', '1'], clients(publishers),
        (pid) => { held = pssKilobytes(pid); });
      return { each: (held - before) / publishers };
    }, [['each', '', 1]]);
  }
}

// mosquitto keeps messages for a session that has been there; Skerry's routes keep them anyhow.
async function backlogOf(server) {
  const subscriber = ['--persistent', '--publishers', '0', '--subscribers', '1'];
  const sub = [skerry.accounts.at(-1)];
  const name = (n) => n.toString();
  await load(server, 'plain', [...subscriber, '--seconds', '0.2', '--quiet', '0.2'], sub);
  const fill = checked(server, await load(server, 'plain', ['--persistent', '--publishers', '10', '--subscribers', '0', '--window', '200',
    '--count', name(backlog), '--seconds', '300', '--quiet', '30'], skerry.accounts.slice(0, 10)));
  const rss = rssKilobytes(server.pid());
  const restart = await server.restart();
  const rssAfter = rssKilobytes(server.pid());
  // Without persistence nothing is there any more: the drain ends when nothing comes.
  const drained = await load(server, 'plain', [...subscriber, '--expect', name(backlog), '--seconds', '300',
    '--quiet', server === memory ? '0.5' : '20'], sub);
  if (server !== memory) checked(server, drained);
  return { intake: fill.ackedPerSecond, intakeCpu: fill.serverCpu / fill.acked * 1e6, rss: rss / 1000, rssAfter: rssAfter / 1000, restart,
    drain: server === memory ? NaN : drained.receivedPerSecond, drainCpu: drained.serverCpu / drained.received * 1e6,
    amplification: fill.serverWritten / (fill.acked * publishBytes(256)), kept: drained.received };
}

async function backlogs() {
  const name = `backlog of ${backlog.toLocaleString('en')} × 256 B`;
  const all = new Map();
  for (const server of servers) all.set(server, await backlogOf(server));
  const add = (figure, label, unit, digits, target) => {
    const values = servers.map((server) => all.get(server)[figure]);
    rows.push({ name: `${name}, ${label}`, unit, durability, target, digits, values, ratios: [values[0] / values[1], values[0] / values[2]] });
    console.log(table([rows.at(-1)], false));
  };
  add('intake', 'intake', 'msg/s', 0, '≥ 120,000');
  add('intakeCpu', 'intake, server CPU', 's/million', 2, '');
  add('amplification', 'written per byte', 'B/B', 2, '≤ 1.15');
  add('rss', 'memory (RSS)', 'MB', 1, '< 32');
  add('restart', 'restart to ready', 'ms', 0, '< 200');
  add('rssAfter', 'memory after restart (RSS)', 'MB', 1, '< 32');
  add('drain', 'drain to a client', 'msg/s', 0, '≥ 1 ×');
  add('drainCpu', 'drain, server CPU', 's/million', 2, '');
  add('kept', 'messages there after the restart', 'msg', 0, '');
}

try {
  for (const server of servers) await server.start(publishers);
  console.log(table([], true));
  if (wanted('idle')) await idle();
  if (wanted('throughput')) await throughput();
  if (wanted('latency')) await latency();
  if (wanted('connections')) await connections();
  if (wanted('backlog')) await backlogs();
  if (!quick && !only.length && durability === 'disk' && !option('sizes', false))
    writeDocument(rows, { rounds, command: `./dev bench brokers --rounds=${rounds}`, durability });
} finally {
  for (const server of servers) await server.stop();
}
