// Images that must be signed: what runs is what somebody trusted has signed, and nothing else. The signatures are made
// as cosign makes them, and lie in a real registry.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { until } from '../world.mjs';
import { withContainers } from './containers.mjs';
import { credentials, registryAddress } from './engine.mjs';

const forever = (tag) => ['/bin/sh', '-c', `# ${tag}\nwhile true; do /bin/sleep 1000; done`];
const reported = (world) => world.twin('$edgeAgent').properties.reported;
const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const basic = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
const manifestTypes = 'application/vnd.docker.distribution.manifest.v2+json';

async function registry(method, target, { body, type } = {}) {
  const url = new URL(target, `http://${registryAddress}`);
  const answer = await fetch(url, { method, body, headers: { Authorization: basic, Accept: manifestTypes,
    ...(type ? { 'Content-Type': type } : {}) } });
  if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${await answer.text()}`);
  return answer;
}
async function upload(repository, bytes) {
  const place = (await registry('POST', `/v2/${repository}/blobs/uploads/`)).headers.get('location');
  const url = new URL(place, `http://${registryAddress}`);
  url.searchParams.set('digest', digestOf(bytes));
  await registry('PUT', url, { body: bytes, type: 'application/octet-stream' });
  return { digest: digestOf(bytes), size: bytes.length };
}
const manifestOf = async (repository, tag) =>
  Buffer.from(await (await registry('GET', `/v2/${repository}/manifests/${tag}`)).arrayBuffer());
const putManifest = (repository, tag, body) =>
  registry('PUT', `/v2/${repository}/manifests/${tag}`, { body, type: JSON.parse(body).mediaType });

async function signImage(repository, tag, key) {
  const digest = digestOf(await manifestOf(repository, tag));
  const payload = Buffer.from(JSON.stringify({ critical: { identity: { 'docker-reference': `${registryAddress}/${repository}` },
    image: { 'docker-manifest-digest': digest }, type: 'cosign container image signature' }, optional: null }));
  const config = await upload(repository, Buffer.from('{}'));
  const layer = await upload(repository, payload);
  await putManifest(repository, `${digest.replace(':', '-')}.sig`, JSON.stringify({ schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', ...layer,
      annotations: { 'dev.cosignproject.cosign/signature': sign('sha256', payload, key).toString('base64') } }] }));
  return digest;
}

function deploy(world, image, more = {}) {
  const module = world.module('unused', more);
  module.settings = { image };
  world.deploy({ routes: {}, modules: { app: module },
    registryCredentials: { ours: { address: registryAddress, ...credentials } } });
}
async function untilRefused(world, pattern) {
  const description = await until(`the refusal is reported: ${pattern}`, () => {
    const { code, description: text } = reported(world).lastDesiredStatus ?? {};
    return code === 500 && pattern.test(text) && text;
  }, 60);
  assert.match(description, /'app'|\bapp\b/);
}
const created = async (world) => (await world.engine.inspect('app')).Created;

test('a signed image runs by its digest; unsigned, wrongly signed and moved ones are refused with the reason', async () => {
  await withContainers('signatures', async (world) => {
    const trusted = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const stranger = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    await world.engine.startRegistry();
    const repository = 'skerry/m';
    const names = {};
    for (const tag of ['signed', 'unsigned', 'stranger', 'moved']) {
      names[tag] = await world.engine.publish(`${repository}:${tag}`, forever(tag));
    }
    const digest = await signImage(repository, 'signed', trusted.privateKey);
    await signImage(repository, 'stranger', stranger.privateKey);

    await world.startCloud();
    world.createDevice();
    const keyFile = path.join(world.root, 'trusted.pub');
    fs.writeFileSync(keyFile, trusted.publicKey.export({ type: 'spki', format: 'pem' }));
    fs.appendFileSync(path.join(world.root, 'config.toml'), ['', '[[skerry.image_policy]]',
      `scope = "${registryAddress}"`, 'require = "signature"', `keys = ["${keyFile}"]`, ''].join('\n'));

    deploy(world, names.unsigned);
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub');
    await untilRefused(world, /may not run: it is not signed/);
    deploy(world, names.stranger);
    await untilRefused(world, /signed, but by no key that is trusted here/);
    assert.equal((await world.engine.request('GET', '/containers/app/json')).status, 404);
    const here = JSON.parse(await world.engine.ask('GET', '/images/json'));
    assert.ok(!here.some(({ RepoDigests }) => RepoDigests?.some((name) => name.startsWith(registryAddress))), 'nothing was pulled');

    deploy(world, names.signed);
    await world.untilRunning('app');
    assert.equal((await world.engine.inspect('app')).Config.Image, `${registryAddress}/${repository}@${digest}`);
    await until('it is reported', () => reported(world).lastDesiredStatus?.code === 200, 60);
    assert.equal(reported(world).modules.app.settings.image, names.signed);
    const first = await created(world);

    // The tag moves to an image that nobody signed: what runs goes on, and is not replaced by it.
    await putManifest(repository, 'signed', (await manifestOf(repository, 'moved')).toString());
    await new Promise((resolve) => setTimeout(resolve, 61_000));  // the registry's answer counts for a minute
    deploy(world, names.signed, { env: { CHANGED: '1' } });
    await untilRefused(world, /may not run: it is not signed/);
    assert.equal(await created(world), first);
    assert.equal((await world.engine.inspect('app')).State.Running, true);

    // Without the registry what was verified before counts.
    await world.engine.stopRegistry();
    await world.engine.ask('DELETE', '/containers/app?force=true');
    deploy(world, names.signed, { env: { CHANGED: '2' } });
    await world.untilRunning('app');
    await until('the change is there', async () =>
      (await world.engine.inspect('app')).Config.Env.includes('CHANGED=2'), 60);
    assert.equal((await world.engine.inspect('app')).Config.Image, `${registryAddress}/${repository}@${digest}`);
  });
});
