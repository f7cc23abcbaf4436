// Edge devices above each other, each with a daemon and a hub of its own: cloud <- edge-1 <- edge-2 <- leaf.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';
import { Certificates, key, text, thumbprint } from './certificates.mjs';
import { withWorld, until } from './world.mjs';

const childAddress = '127.0.0.13';
const toCloud = { all: 'FROM /messages/* INTO $upstream' };

// An edge device below `world`, started.
async function startBelow(world, device, address, { modules = () => ({}), twins = {} } = {}) {
  const child = world.addBelow(device, address);
  child.createDevice();
  child.deploy({ routes: toCloud, modules: modules(child), twins });
  await child.startDaemon();
  await child.untilHubListens();
  return child;
}

// Both edge devices run, the lower one with `modules`.
async function startBoth(world, options) {
  await world.startCloud();
  world.createDevice();
  world.deploy({ routes: toCloud });
  await world.startDaemon();
  await world.untilHubListens();
  return startBelow(world, 'edge-2', childAddress, options);
}

const idsOf = (world, id) => new Set(world.events().filter((event) => event.deviceId === id).map((event) => event.messageId));

async function untilAllArrived(world, leaf, id) {
  await until(`every message of ${id} in the cloud`, () => {
    const arrived = idsOf(world, id);
    return leaf.lines(id, 'sent').every((sent) => arrived.has(sent));
  }, 90);
}

test('modules and a device below a child edge device reach the cloud through both hubs, and the cloud reaches them', async () => {
  await withWorld('nested', async (world) => {
    const child = await startBoth(world, {
      modules: (below) => ({ sensor: below.module('skerry/sensor', { env: { SKERRY_LEDGER: below.ledger('sensor') } }) }),
      twins: { sensor: { SendInterval: 0.05 } },
    });
    // Its identities were made through the parent: the child has no other way, and the cloud knows them.
    const made = JSON.parse((await world.cloudRequest('GET', '/devices/edge-2/modules?api-version=2021-04-12')).body);
    assert.deepEqual(made.map((module) => module.moduleId).sort(), ['$edgeAgent', '$edgeHub', 'sensor']);
    assert.equal(made.find((module) => module.moduleId === 'sensor').managedBy, 'IotEdge');

    await until('20 messages of the sensor below in the cloud', () =>
      world.events('sensor').filter((event) => event.deviceId === 'edge-2').length >= 20, 60);

    // A device of the npm SDK below the child.
    child.createLeaf('leaf-1');
    world.cloudCli('twin', 'update', 'leaf-1', JSON.stringify({ properties: { desired: { greeting: 'hello' } } }));
    child.startLeaf('leaf-1', { env: { SEND_EVERY: '100', TWIN: '1' } });
    await until('20 messages of the leaf in the cloud', () => idsOf(world, 'leaf-1').size >= 20, 60);
    assert.deepEqual(child.lines('leaf-1', 'twin'), ['"hello"']);
    await until('its report in the cloud', () =>
      JSON.parse(world.cloudCli('twin', 'show', 'leaf-1')).properties.reported.read === true);
    const answer = JSON.parse(world.cloudCli('method', 'invoke', 'leaf-1', 'where', '{"n":1}', '--json'));
    assert.deepEqual(answer, { status: 202, payload: { here: { n: 1 } } });
    // The parent carried them: it counted what it took for them.
    const page = (await child.httpRequest({ host: world.hostname, port: 9600, path: '/metrics' })).body;
    for (const id of ['leaf-1', 'edge-2/sensor'])
      assert.match(page, new RegExp(`edgehub_messages_received_total\\{[^}]*id="${id}[^}]*\\} [1-9]`), `${id} in ${page}`);

    await until('the agent below reports 200', () =>
      child.twin('$edgeAgent').properties.reported.lastDesiredStatus?.code === 200, 40);

    // Who is disabled in the cloud loses its connection two layers down.
    const ended = () => child.moduleLog('edgeHub').split('Device connection of leaf-1 has ended').length - 1;
    const already = ended();
    world.cloudCli('device', 'update', 'leaf-1', '--status', 'disabled');
    await until('the disabled device is dropped by the child', () => ended() > already, 30);
  });
});

test('what is sent below while the cloud and the parent are away arrives afterwards, a restart of the child included', async () => {
  await withWorld('nested-offline', async (world) => {
    const child = await startBoth(world);
    child.createLeaf('leaf-1');
    child.startLeaf('leaf-1', { env: { SEND_EVERY: '50' } });
    await until('a message of the leaf in the cloud', () => idsOf(world, 'leaf-1').size >= 1, 60);
    const sent = () => child.lines('leaf-1', 'sent').length;
    const more = (count, seconds = 60) => {
      const before = sent();
      return until(`${count} more messages are acknowledged`, () => sent() >= before + count, seconds);
    };

    // Without the cloud they wait at the parent.
    await world.stopCloud();
    await more(20);
    // Without the parent they wait at the child; its hub comes back with what it knew, and so does the leaf.
    await world.killDaemon();
    process.kill(world.pid('hub'), 'SIGKILL');
    await more(20);
    const former = child.pid('hub');
    process.kill(former, 'SIGKILL');
    await until('the hub of the child is back', () => child.pid('hub') !== former, 40);
    await more(20);
    const stored = sent();
    assert.ok(stored >= 60);

    await world.startDaemon();
    await world.startCloud();
    await untilAllArrived(world, child, 'leaf-1');
    // And new ones flow.
    await more(5);
    await untilAllArrived(world, child, 'leaf-1');
  });
});

// A request to the registry of the hub at `host`.
function registry(host, authority, id, certificate, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = https.request({ host, path: `/devices/${id}/modules?api-version=2021-04-12`, timeout: 20000, agent: false,
      ca: fs.readFileSync(authority), headers,
      ...(certificate ? { cert: text(certificate), key: key(certificate) } : {}) }, (response) => {
      let body = '';
      response.on('data', (piece) => { body += piece; });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
    request.end();
  });
}

test('a device with a certificate asks for its module identities over HTTPS, through both hubs; others may not', async () => {
  await withWorld('nested-x509', async (world) => {
    const make = new Certificates(path.join(world.root, 'certificates'));
    const shown = make.make('any name');
    const child = await startBoth(world);
    child.createLeaf('thumb', '--auth-method', 'x509_thumbprint', '--primary-thumbprint', thumbprint(shown));
    world.cloudCli('module', 'create', 'thumb', 'extra');
    const ask = (id, certificate, headers) => registry(child.hostname, child.edgeAuthority, id, certificate, headers);

    const answer = await ask('thumb', shown);
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(JSON.parse(answer.body).map((module) => module.moduleId), ['extra']);

    assert.equal((await ask('thumb', make.make('any name'))).status, 401, 'another certificate');
    assert.equal((await ask('thumb')).status, 401, 'none');
    assert.equal((await ask('edge-2', shown)).status, 401, 'another device');
    // Who writes the API proxy's header without being it gains nothing.
    assert.equal((await ask('thumb', undefined, { 'x-ms-edge-clientcert': encodeURIComponent(text(shown)) })).status, 401);
  });
});

test('three edge devices above each other: a leaf at the bottom sends, is called, and asks for its modules', async () => {
  await withWorld('nested-deep', async (world) => {
    const make = new Certificates(path.join(world.root, 'certificates'));
    const shown = make.make('any name');
    const middle = await startBoth(world);
    const bottom = await startBelow(middle, 'edge-3', '127.0.0.14');
    bottom.createLeaf('leaf-1');
    bottom.startLeaf('leaf-1', { env: { SEND_EVERY: '100' } });
    await until('5 messages of the leaf in the cloud', () => idsOf(world, 'leaf-1').size >= 5, 60);
    assert.equal(JSON.parse(world.cloudCli('method', 'invoke', 'leaf-1', 'where', '2', '--json')).payload.here, 2);
    bottom.createLeaf('thumb', '--auth-method', 'x509_thumbprint', '--primary-thumbprint', thumbprint(shown));
    const answer = await registry(bottom.hostname, bottom.edgeAuthority, 'thumb', shown);
    assert.deepEqual(answer, { status: 200, body: '[]' });
  });
});
