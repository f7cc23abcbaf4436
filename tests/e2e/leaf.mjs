// A downstream device of the npm SDK behind the gateway. usage: leaf.mjs, with CONNECTION_STRING (GatewayHostName in it),
// NODE_EXTRA_CA_CERTS and LEDGER.
import fs from 'node:fs';
import device from 'azure-iot-device';
import mqtt from 'azure-iot-device-mqtt';

const note = (line) => fs.appendFileSync(process.env.LEDGER, `${line}\n`);
const client = device.Client.fromConnectionString(process.env.CONNECTION_STRING, mqtt.Mqtt);
// Before it connects: what waited comes right behind CONNACK, and the SDK drops what nobody listens to.
client.onDeviceMethod('where', (request, response) => {
  response.send(202, { here: request.payload }, () => {});
});
client.on('message', (message) => {
  note(`message ${JSON.stringify({ id: message.messageId, body: message.getData().toString(),
    colour: message.properties.getValue('colour') })}`);
  client.complete(message, () => {});
});
await client.open();
note('ready');
