// createOptions on a real engine: what they say is what the container has, and what is not allowed is taken away.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { until } from '../world.mjs';
import { suite, steady } from './containers.mjs';

const megabyte = 1 << 20;
const hubPort = 18883;
const inspect = (world, name) => world.engine.inspect(name);

// A limit of memory as the kernel has it, for control groups of either version.
function memoryLimit(pid) {
  for (const line of fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const file of [controllers === 'memory' && `/sys/fs/cgroup/memory${group}/memory.limit_in_bytes`,
      controllers === '' && `/sys/fs/cgroup${group}/memory.max`]) {
      if (file && fs.existsSync(file)) return Number(fs.readFileSync(file, 'utf8'));
    }
  }
  throw new Error(`process ${pid} has no limit of memory`);
}
// The certificate of who answers there.
function certificateAt(port) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const check = suite('moby-options', async (world) => {
  await world.startCloud();
  world.createDevice();
  const config = path.join(world.root, 'config.toml');
  fs.writeFileSync(config, `allow_elevated_docker_permissions = false\n${fs.readFileSync(config, 'utf8')}`);
  await world.startDaemon();
});
async function deploy(world, modules, more = {}) {
  world.deploy({ routes: {}, modules, ...more });
  await world.untilDeployed();
  await world.untilRunning('edgeHub', ...Object.keys(modules));
}

check('ports are reachable, also those of the hub', async (world) => {
  await deploy(world, {}, { hubOptions: { ExposedPorts: { '8883/tcp': {} },
    HostConfig: { PortBindings: { '8883/tcp': [{ HostIp: '127.0.0.1', HostPort: String(hubPort) }] } } } });
  const { subjectaltname } = await until('the hub answers at its port of the host', () => certificateAt(hubPort));
  assert.match(subjectaltname, /edge-gateway/);
});

check('limits, volumes, binds, a terminal and the rest are as createOptions say; a volume outlives the container', async (world) => {
  const script = `[ -e /data/kept ] && echo the volume is the same one; : > /data/kept; echo bound > /out/bound; ${steady}`;
  const options = { Tty: true, WorkingDir: '/tmp', Labels: { site: 'north' }, StopTimeout: 7, Hostname: 'rich-host',
    HostConfig: { Memory: 64 * megabyte, Binds: [`${world.ledgers}:/out`], PidsLimit: 50,
      Mounts: [{ Type: 'volume', Source: 'kept-data', Target: '/data' }], Tmpfs: { '/scratch': 'size=1m' },
      Ulimits: [{ Name: 'nofile', Soft: 256, Hard: 256 }], ReadonlyRootfs: true, ShmSize: megabyte,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } } } };
  const rich = () => world.shell(script, { options });
  await deploy(world, { rich: rich(), plain: world.shell(`echo $((40 + 2)); ${steady}`, { options: { User: '65534:65534' } }) });
  const { Config, HostConfig, State, Mounts, Id } = await inspect(world, 'rich');
  assert.equal(memoryLimit(State.Pid), 64 * megabyte);
  assert.match(fs.readFileSync(`/proc/${State.Pid}/limits`, 'utf8'), /Max open files\s+256\s+256/);
  assert.deepEqual([Config.Tty, Config.WorkingDir, Config.Labels.site, Config.StopTimeout, Config.Hostname],
    [true, '/tmp', 'north', 7, 'rich-host']);
  assert.deepEqual([HostConfig.PidsLimit, HostConfig.ReadonlyRootfs, HostConfig.ShmSize, HostConfig.Tmpfs['/scratch']],
    [50, true, megabyte, 'size=1m']);
  assert.deepEqual(HostConfig.LogConfig, { Type: 'json-file', Config: { 'max-size': '1m' } });
  assert.ok(Mounts.some(({ Type, Name, Destination }) => Type === 'volume' && Name === 'kept-data' && Destination === '/data'));
  await until('the bind is written', () => fs.readFileSync(path.join(world.ledgers, 'bound'), 'utf8') === 'bound\n');
  const { Pid } = (await inspect(world, 'plain')).State;
  assert.match(fs.readFileSync(`/proc/${Pid}/status`, 'utf8'), /^Uid:\s+65534/m);
  await until('its log is read', () => world.moduleLog('plain') === '42\n');

  options.Labels.site = 'south';
  await deploy(world, { rich: rich() });
  assert.notEqual((await inspect(world, 'rich')).Id, Id);
  await until('a log of a terminal is read', () => world.moduleLog('rich').includes('the volume is the same one'));
});

check('variables of createOptions win over those of the deployment, and both over none', async (world) => {
  await deploy(world, { chosen: world.shell(steady, { env: { BOTH: 'deployment', HERE: 'deployment' },
    options: { Env: ['BOTH=options', 'THERE=options', 'RuntimeLogLevel=debug'] } }) });
  const { Env } = (await inspect(world, 'chosen')).Config;
  const all = (name) => Env.filter((entry) => entry.startsWith(`${name}=`));
  assert.deepEqual(all('BOTH'), ['BOTH=options']);
  assert.deepEqual(all('HERE'), ['HERE=deployment']);
  assert.deepEqual(all('THERE'), ['THERE=options']);
  assert.deepEqual(all('RuntimeLogLevel'), ['RuntimeLogLevel=debug']);
  assert.deepEqual(all('IOTEDGE_GATEWAYHOSTNAME'), ['IOTEDGE_GATEWAYHOSTNAME=edge-gateway']);
  assert.deepEqual(all('IOTEDGE_MODULEID'), ['IOTEDGE_MODULEID=chosen']);
});

check('createOptions come whole in chunks, and are reported in chunks that make them whole again', async (world) => {
  const labels = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`label-${i}`, 'long text '.repeat(5) + i]));
  const chunked = world.shell(steady, { options: { Labels: labels } });
  const text = chunked.settings.createOptions;
  delete chunked.settings.createOptions;
  const pieces = text.match(/.{1,512}/gs);
  assert.ok(pieces.length >= 4);
  pieces.forEach((piece, i) => { chunked.settings[`createOptions${i ? String(i).padStart(2, '0') : ''}`] = piece; });
  await deploy(world, { chunked });
  const { Config } = await inspect(world, 'chunked');
  for (const [name, value] of Object.entries(labels)) assert.equal(Config.Labels[name], value);
  const reported = await until('it is reported', () => world.reported.modules.chunked?.settings);
  const keys = Object.keys(reported).filter((key) => key.startsWith('createOptions')).sort();
  assert.ok(keys.every((key) => reported[key].length <= 512));
  assert.deepEqual(JSON.parse(keys.map((key) => reported[key]).join('')), JSON.parse(text));
});

check('privileges are taken away where they are not allowed, and the state of the module says so', async (world) => {
  await deploy(world, { eager: world.shell(steady, { options: {
    HostConfig: { Privileged: true, CapAdd: ['SYS_ADMIN'], CapDrop: ['KILL'] } } }) });
  const { HostConfig, State } = await inspect(world, 'eager');
  assert.equal(HostConfig.Privileged, false);
  assert.deepEqual(HostConfig.CapAdd ?? [], []);
  assert.deepEqual([...HostConfig.CapDrop].sort(), ['CHOWN', 'KILL', 'SETUID']);
  const capabilities = BigInt(`0x${/^CapEff:\s+(\w+)$/m.exec(fs.readFileSync(`/proc/${State.Pid}/status`, 'utf8'))[1]}`);
  for (const bit of [0n, 5n, 7n, 21n]) assert.equal(capabilities >> bit & 1n, 0n, `capability ${bit}`);
  const { description } = (await world.modules()).eager;
  assert.match(description, /HostConfig\.Privileged.*HostConfig\.CapAdd/);
  await until('it is reported', () => /HostConfig\.Privileged/.test(world.reported.modules.eager?.statusDescription));
});

check('options that are wrong are refused with the module, the option and what is right', async (world) => {
  const before = await world.engine.lives(['edgeAgent', 'edgeHub', 'eager']);
  const eager = world.shell(steady, { options: { HostConfig: { Privileged: true, CapAdd: ['SYS_ADMIN'], CapDrop: ['KILL'] } } });
  world.deploy({ routes: {}, modules: { eager, wrong: world.shell(steady, { options: { HostConfig: { Binds: 'text' } } }) } });
  const { lastDesiredStatus } = await world.untilDeployed(500);
  assert.match(lastDesiredStatus.description, /wrong.*HostConfig\.Binds: must be/s);
  assert.deepEqual(await world.engine.lives(['edgeAgent', 'edgeHub', 'eager']), before);
});
