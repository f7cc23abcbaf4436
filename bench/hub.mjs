// What the hub does for one consumer and for many clients: a slow handler, module to module over TLS, idle connections.
// usage: ./dev bench hub [--only=handler,latency,connections] [--connections=N] [--seconds=N]
import { Skerry, load, rssKilobytes, pssKilobytes } from './broker_servers.mjs';

const option = (name, fallback) => {
  const found = process.argv.find((text) => text.startsWith(`--${name}=`));
  return found === undefined ? fallback : found.split('=')[1];
};
const only = option('only', '').split(',').filter(Boolean);
const wanted = (section) => !only.length || only.includes(section);
const seconds = option('seconds', '5');
const count = Number(option('connections', '10000'));

const hub = new Skerry({ MaxConnectedClients: String(count + 100) });
const pair = () => [hub.accounts[0], hub.accounts.at(-1)];
const row = (name, value, unit, target) => console.log(`${name.padEnd(62)} ${value.padStart(10)} ${unit.padEnd(6)} ${target}`);

function checked(result) {
  if (result.error) throw new Error(result.error);
  if (result.ended !== 'complete' || result.lost || result.outOfOrder)
    throw new Error(`ended ${result.ended}: ${result.lost} lost, ${result.outOfOrder} out of order`);
  return result;
}

async function handler() {
  for (const transport of ['plain', 'tls']) {
    const result = checked(await load(hub, transport, ['--persistent', '--publishers', '1', '--subscribers', '1', '--handle', '50',
      '--rate', '5000', '--window', '1000', '--warmup', '0.5', '--seconds', seconds, '--quiet', '20'], pair()));
    row(`handler of 50 ms, one input, ${transport}`, result.receivedPerSecond.toFixed(0), 'msg/s', '(target: 2,000 or more)');
  }
}

async function latency() {
  const result = checked(await load(hub, 'tls', ['--persistent', '--publishers', '1', '--subscribers', '1', '--rate', '1000',
    '--window', '1000', '--warmup', '0.5', '--seconds', seconds], pair()));
  const { p50, p99, p999 } = result.deliveryLatencyUs;
  row('module to module, TLS, 1,000 msg/s of 256 B, delivery p50', p50.toFixed(0), 'µs', '(target: under 300)');
  row('… p99', p99.toFixed(0), 'µs', '');
  row('… p99.9', p999.toFixed(0), 'µs', '');
  row('… acknowledgement, durable, p50', result.ackLatencyUs.p50.toFixed(0), 'µs', '');
}

async function connections() {
  const leaves = await hub.createLeaves(count);
  const before = { pss: pssKilobytes(hub.pid()), rss: rssKilobytes(hub.pid()) };
  let held = before;
  const result = await load(hub, 'tls', ['--mode', 'idle', '--connections', String(count), '--at-once', '32', '--seconds', '25'],
    leaves, (pid) => {
      setTimeout(() => { held = { pss: pssKilobytes(pid), rss: rssKilobytes(pid) }; }, 20_000);  // idle, not just admitted
    });
  if (result.admitted !== count) throw new Error(`${result.admitted} of ${count} connections were admitted: ${result.error}`);
  row(`${count.toLocaleString('en')} idle TLS connections, memory each (PSS)`, ((held.pss - before.pss) / count).toFixed(1), 'kB', '(target: under 24)');
  row('… hub in sum (RSS)', (held.rss / 1000).toFixed(1), 'MB', '');
  row('… opened', result.admittedPerSecond.toFixed(0), '1/s', '');
}

try {
  await hub.start(1);
  if (wanted('handler')) await handler();
  if (wanted('latency')) await latency();
  if (wanted('connections')) await connections();
} finally {
  await hub.stop();
}
