// An ordinary module of the npm SDK, as its users write it: input1 -> output1, a twin, a direct method.
import fs from 'node:fs';
import device from 'azure-iot-device';
import mqtt from 'azure-iot-device-mqtt';

const { ModuleClient, Message } = device;
const ledger = process.env.LEDGER;
const note = (line) => { if (ledger) fs.appendFileSync(ledger, `${line}\n`); };

const client = await ModuleClient.fromEnvironment(mqtt.Mqtt);
await client.open();
const twin = await client.getTwin();
note(`twin ${JSON.stringify(twin.properties.desired.greeting ?? null)}`);
twin.on('properties.desired', (patch) => note(`desired ${JSON.stringify(patch.greeting ?? null)}`));
await new Promise((resolve, reject) => {
  twin.properties.reported.update({ relay: { ready: true } }, (error) => (error ? reject(error) : resolve()));
});
client.onMethod('echo', (request, response) => {
  response.send(200, { echoed: request.payload }, (error) => { if (error) note(`method error ${error.message}`); });
});
client.on('inputMessage', (input, message) => {
  const out = new Message(message.getBytes());
  out.messageId = message.messageId;
  out.contentType = 'application/json';
  out.contentEncoding = 'utf-8';
  out.properties.add('via', input);
  note(`got ${message.messageId}`);
  client.sendOutputEvent('output1', out, (error) => {
    if (error) return note(`error ${error.message}`);
    note(`sent ${message.messageId}`);
    client.complete(message, () => {});
  });
});
note('ready');
