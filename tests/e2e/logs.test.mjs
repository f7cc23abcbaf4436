// Direct methods of the agent, as a service calls them: logs as an answer and as blobs, restarts, the state of a task.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import { skerry, withWorld, until } from './world.mjs';
import { BlobServer } from './blobs.mjs';

// The entries of a zip archive, as Python's library reads them.
function unzip(archive) {
  const program = 'import sys,io,json,zipfile\nz=zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\n' +
    'assert z.testzip() is None\nprint(json.dumps({n:z.read(n).decode("utf-8","replace") for n in z.namelist()}))';
  return JSON.parse(execFileSync('python3', ['-c', program], { input: archive, encoding: 'utf8', maxBuffer: 1 << 28 }));
}

const storageAddress = '127.0.0.13';
const speech = "echo '<3> 2024-01-31 10:00:00.000 +00:00 [ERR] - disk \"full\"'; echo '<6> [INF] - all well'; " +
  'for n in 1 2 3; do echo "line $n"; done; exec sleep 1000';
// In a module of its own: between two pipes there is no order.
const whisper = "echo 'not for everybody' >&2; exec sleep 1000";

// A key and a certificate that signs itself, trusted by the device through its trust bundle.
function trustedStorage(world) {
  const [key, cert] = ['storage.key', 'storage.pem'].map((name) => path.join(world.root, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=storage', '-addext', `subjectAltName=IP:${storageAddress}`, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const config = path.join(world.root, 'config.toml');
  const bundle = path.join(world.root, 'trusted.pem');
  fs.writeFileSync(bundle, fs.readFileSync(world.info().caCertificate, 'utf8') + fs.readFileSync(cert, 'utf8'));
  fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace(/trust_bundle_cert = .*/,
    `trust_bundle_cert = "file://${bundle}"`));
  return { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
}

async function speaking(name, body) {
  await withWorld(name, async (world) => {
    await world.startCloud();
    world.createDevice();
    const tls = trustedStorage(world);
    world.bundle('test/speaker', ['/bin/sh', '-c', speech]);
    world.bundle('test/whisper', ['/bin/sh', '-c', whisper]);
    world.deploy({ routes: {}, modules: { speaker: world.module('test/speaker'), whisper: world.module('test/whisper') } });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'speaker', 'whisper');
    await until('the speaker has spoken', () => world.moduleLog('speaker').includes('line 3'));
    const call = (method, payload) => JSON.parse(world.cloudCli('method', 'invoke', world.device, '$edgeAgent', method,
      JSON.stringify(payload ?? null), '--json'));
    const logs = (extra, filter = {}) => call('GetModuleLogs',
      { schemaVersion: '1.0', items: { id: '^speaker$', filter }, ...extra });
    await until('the agent answers', () => call('ping').status === 200, 30);
    await body({ world, tls, call, logs });
  });
}

// Begins a task with `method` and returns its state when it has ended.
async function untilDone(call, method, request) {
  const begun = call(method, { schemaVersion: '1.0', ...request });
  assert.equal(begun.status, 200);
  const { correlationId } = begun.payload;
  return until('the task has ended', () => {
    const { payload } = call('GetTaskStatus', { schemaVersion: '1.0', correlationId });
    return ['Completed', 'Failed'].includes(payload.status) && payload;
  }, 60);
}

test('GetModuleLogs gives logs as text, JSON and gzip, filtered, and refuses what it does not understand', async () => {
  await speaking('logs', async ({ call, logs }) => {
    const text = logs({ contentType: 'text' });
    assert.equal(text.status, 200);
    assert.equal(text.payload.length, 1);
    const [{ id, payload, payloadBytes }] = text.payload;
    assert.equal(id, 'speaker');
    assert.equal(payloadBytes, null);
    assert.match(payload, /^<6> \[INF\] - all well$/m);
    assert.match(payload, /line 1\nline 2\nline 3\n$/);

    const records = JSON.parse(logs({}).payload[0].payload);
    const bad = records.find((record) => record.text === '[ERR] - disk "full"');
    assert.equal(bad.loglevel, 3);
    assert.equal(bad.stream, 'stdout');
    assert.equal(bad.id, 'speaker');
    assert.equal(bad.device, 'edge-1');
    assert.match(bad.timestamp, /^20\d\d-\d\d-\d\dT.*Z$/);
    assert.equal(records.find((record) => record.text === '[INF] - all well').loglevel, 6);
    const whispered = await until('something is whispered', () =>
      JSON.parse(logs({ items: { id: 'whisper' } }).payload[0].payload)[0]);
    assert.deepEqual([whispered.stream, whispered.text], ['stderr', 'not for everybody']);

    const zipped = logs({ contentType: 'text', encoding: 'gzip' }).payload[0];
    assert.equal(zipped.payload, null);
    assert.equal(zlib.gunzipSync(Buffer.from(zipped.payloadBytes, 'base64')).toString(), payload);

    assert.equal(logs({ contentType: 'text' }, { tail: 2 }).payload[0].payload, 'line 2\nline 3\n');
    assert.equal(logs({ contentType: 'text' }, { tail: 2, since: '1h', until: '0s' }).payload[0].payload, 'line 2\nline 3\n');
    assert.equal(logs({ contentType: 'text' }, { regex: 'line [13]' }).payload[0].payload, 'line 1\nline 3\n');
    assert.equal(logs({}, { loglevel: 3 }).payload[0].payload.match(/"text"/g).length, 1);
    assert.deepEqual(logs({ items: { id: 'nobody' } }).payload, []);

    const all = call('getmodulelogs', { schemaVersion: '1.0', items: { id: 'all', filter: { tail: 1 } } });
    assert.deepEqual(all.payload.map((one) => one.id).sort(), ['edgeAgent', 'edgeHub', 'speaker', 'whisper']);

    const refused = logs({}, { regex: '(' });
    assert.equal(refused.status, 400);
    assert.match(refused.payload.message, /regex/);
    assert.equal(logs({}, { since: 'yesterday-ish' }).status, 400);
    assert.equal(call('GetModuleLogs').status, 400);
    assert.equal(call('Dance').status, 400);
    assert.deepEqual(call('GetTaskStatus', { schemaVersion: '1.0', correlationId: 'none' }).payload,
      { status: 'Unknown', message: '', correlationId: 'none' });
  });
});

test('UploadModuleLogs writes blobs over HTTPS; RestartModule restarts', async () => {
  await speaking('upload', async ({ world, tls, call }) => {
    const storage = new BlobServer(storageAddress, tls);
    await storage.start();
    try {
      const upload = (extra) => untilDone(call, 'UploadModuleLogs',
        { items: { id: 'speaker' }, sasUrl: storage.sasUrl, ...extra });
      const told = world.moduleLog('speaker');
      assert.equal((await upload({ contentType: 'text' })).status, 'Completed');
      const text = storage.find(/\/speaker-.*\.log$/);
      assert.match(text.name, /^[^/]+\/edge-1\/speaker-\d{4}-\d\d-\d\d--\d\d-\d\d-\d\d\.log$/);
      assert.equal(text.type, 'AppendBlob');
      assert.equal(text.contentType, 'text/plain');
      assert.ok(text.body.toString().includes('line 1\nline 2\nline 3\n'));
      assert.ok(text.body.length >= told.length);

      assert.equal((await upload({ encoding: 'gzip' })).status, 'Completed');
      const json = storage.find(/\/speaker-.*\.json\.gz$/);
      assert.equal(json.type, 'BlockBlob');
      assert.equal(json.contentType, 'application/json');
      assert.equal(json.contentEncoding, 'gzip');
      assert.ok(JSON.parse(zlib.gunzipSync(json.body)).some((record) => record.text === 'line 3'));

      assert.deepEqual(storage.complaints, []);
      const failed = await upload({ sasUrl: storage.sasUrl.replace('abc', 'secretive') });
      assert.equal(failed.status, 'Failed');
      assert.match(failed.message, /403/);
      const agent = world.moduleLog('edgeAgent');
      assert.ok(!failed.message.includes('secretive') && !agent.includes('secretive') && !agent.includes('abc%2Fdef'));
    } finally {
      storage.close();
    }

    const before = (await world.modules()).speaker.status.startTime;
    assert.equal(call('RestartModule', { schemaVersion: '1.0', id: 'speaker' }).status, 200);
    assert.notEqual((await world.modules()).speaker.status.startTime, before);
    assert.equal(call('RestartModule', { schemaVersion: '1.0', id: 'nobody' }).status, 500);
  });
});

// What somebody at the device does and sees.
function bundleForPeople(world) {
  const host = `unix://${world.management}`;
  const ask = (...args) => spawnSync(skerry, ['support-bundle', ...args],
    { cwd: world.root, timeout: 60000, env: { IOTEDGE_HOST: host, ...process.env } });
  const folder = path.join(world.root, 'bundles-of-people');
  fs.mkdirSync(folder);
  const file = path.join(folder, 'bundle.zip');
  const quiet = ask('-q', '-o', file, '--edge-runtime-only');
  assert.deepEqual([quiet.status, `${quiet.stdout}${quiet.stderr}`], [0, '']);
  assert.ok('logs/edgeAgent_log.txt' in unzip(fs.readFileSync(file)));
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  fs.writeFileSync(file, 'before');
  assert.match(`${ask('-o', file, '-e').stdout}`, /^Wrote the support bundle to .*bundle\.zip \(\d+ (bytes|KB)\)\n$/);
  assert.ok('check.json' in unzip(fs.readFileSync(file)));
  assert.ok('check.json' in unzip(ask('-e', '-o', '-').stdout));
  const unnamed = /support_bundle_\d{4}(_\d\d){5}_UTC\.zip/.exec(`${ask('-e').stdout}`)[0];
  assert.ok(fs.existsSync(path.join(world.root, unnamed)));

  // Refusals say why, and leave what was there.
  fs.writeFileSync(file, 'before');
  const refused = (pattern, ...args) => {
    const { status, stderr } = ask(...args);
    assert.equal(status, 1);
    assert.match(`${stderr}`, pattern);
  };
  refused(/invalid parameter: since/, '-o', file, '--since', 'never');
  refused(/is a folder/, '-o', folder);
  refused(/can't write .*No such file or directory/, '-o', path.join(folder, 'no', 'bundle.zip'));
  refused(/none\.sock/, '-o', file, '-H', 'unix:///none.sock');
  assert.equal(fs.readFileSync(file, 'utf8'), 'before');
  assert.deepEqual(fs.readdirSync(folder), ['bundle.zip']);

  const config = path.join(world.root, 'config.toml');
  const checked = spawnSync(skerry, ['check', '-c', config, '--dont-run', 'hostname'], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout);
  assert.match(checked.stdout, /√ the hub or parent can be reached by MQTT - OK/);
}

test('UploadSupportBundle writes a zip archive of logs, modules and configuration, without secrets', async () => {
  await speaking('bundle', async ({ world, tls, call }) => {
    const config = path.join(world.root, 'config.toml');
    const [, key] = fs.readFileSync(config, 'utf8').match(/SharedAccessKey=([^"]+)/);
    // A log that no single block holds.
    const noise = 'head -c 4000000 /dev/urandom | base64; exec sleep 1000';
    world.bundle('test/noisy', ['/bin/sh', '-c', noise]);
    world.deploy({ routes: {}, modules: { speaker: world.module('test/speaker'), whisper: world.module('test/whisper'),
      noisy: world.module('test/noisy', { env: { TOKEN_OF_MINE: 'hunter2' } }) } });
    await until('the noise is made', () => world.moduleLog('noisy').length >= 5_400_000, 60);
    const storage = new BlobServer(storageAddress, tls);
    await storage.start();
    try {
      const upload = (extra) => untilDone(call, 'UploadSupportBundle', { sasUrl: storage.sasUrl, ...extra });
      const done = await upload({});
      assert.equal(done.status, 'Completed', done.message);
      const blob = storage.find(/\/support-bundle-.*\.zip$/);
      assert.match(blob.name, /^[^/]+\/edge-1\/support-bundle-\d{4}-\d\d-\d\d--\d\d-\d\d-\d\d\.zip$/);
      assert.equal(blob.contentType, 'application/zip');
      assert.equal(blob.type, 'BlockBlob');
      assert.ok(blob.blocks > 3);
      const files = unzip(blob.body);
      assert.match(files['logs/speaker_log.txt'], /^20\d\d-\d\d-\d\dT\S+Z line 3$/m);
      assert.match(files['logs/whisper_log.txt'], /not for everybody/);
      assert.ok(files['logs/noisy_log.txt'].length >= 5_400_000);
      for (const name of ['edgeAgent', 'edgeHub', 'speaker']) {
        assert.ok(files[`logs/${name}_log.txt`].length > 0);
        assert.equal(JSON.parse(files[`inspect/${name}.json`]).name, name);
      }
      assert.equal(JSON.parse(files['modules.json']).length, 5);
      assert.equal(JSON.parse(files['systeminfo.json']).osType, 'linux');
      assert.ok(JSON.parse(files['resources.json']).total_ram > 0);
      assert.equal(JSON.parse(files['config.json']).hostname, world.hostname);
      // Found out by the daemon itself, in this process.
      const { checks, additional_info: info } = JSON.parse(files['check.json']);
      for (const id of ['aziot-edged-config-well-formed', 'connect-management-uri', 'host-connect-iothub-https',
        'host-connect-iothub-mqtt', 'modules-running']) assert.deepEqual([id, checks[id].result], [id, 'ok'], files['check.json']);
      assert.ok(info.system_info.total_ram > 0);
      assert.match(files['logs/skerry-daemon.txt'], /\[INF\] - the daemon is ready: device edge-1/);
      for (const [name, text] of Object.entries(files)) {
        assert.ok(!text.includes(key) && !text.includes('hunter2'), `${name} has a secret`);
      }

      storage.blobs.clear();
      assert.equal((await upload({ edgeRuntimeOnly: true, since: '1h' })).status, 'Completed');
      const few = Object.keys(unzip(storage.find(/support-bundle/).body)).filter((name) => name.startsWith('logs/'));
      assert.deepEqual(few.sort(), ['logs/edgeAgent_log.txt', 'logs/edgeHub_log.txt', 'logs/skerry-daemon.txt']);
      assert.equal((await upload({ since: 'yesterday-ish' })).status, 'Failed');
      assert.equal(call('UploadSupportBundle', { schemaVersion: '1.0' }).status, 400);
      assert.deepEqual(storage.complaints, []);
    } finally {
      storage.close();
    }
    bundleForPeople(world);
  });
});
