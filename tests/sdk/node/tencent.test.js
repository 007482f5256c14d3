"use strict";
// tencentcloud-sdk-nodejs, unmodified: the whole life of a gateway, and how refusals reach its user.
const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
// One product at a time: the whole package loads more than two hundred.
const { vpc } = require("tencentcloud-sdk-nodejs/tencentcloud/services/vpc");
const { cvm } = require("tencentcloud-sdk-nodejs/tencentcloud/services/cvm");
const { serve, until } = require("./server");

let server;

function profile(changes = {}) {
  const { httpProfile, credential, ...profileChanges } = changes;
  return {
    credential: { secretId: server.keyId, secretKey: server.keySecret, ...credential },
    region: "ap-guangzhou",
    profile: {
      language: "en-US",
      ...profileChanges,
      httpProfile: { protocol: "http://", endpoint: server.address, ...httpProfile },
    },
  };
}

async function refused(promise, ...codes) {
  await assert.rejects(promise, (error) => {
    assert.ok(codes.includes(error.code), `${codes} expected: ${error.code} ${error.message}`);
    assert.ok(error.requestId);
    return true;
  });
}

before(async () => {
  server = await serve();
});
after(() => server.stop());

async function build(api, ids) {
  const zones = new cvm.v20170312.Client(profile());
  const zone = (await zones.DescribeZones({})).ZoneSet[0].Zone;
  ids.vpc = (await api.CreateVpc({ VpcName: "node", CidrBlock: "10.0.0.0/16" })).Vpc.VpcId;
  const subnet = { VpcId: ids.vpc, SubnetName: "node", CidrBlock: "10.0.1.0/24", Zone: zone };
  ids.subnet = (await api.CreateSubnet(subnet)).Subnet.SubnetId;
  const made = await api.CreateVpnGateway({
    VpcId: ids.vpc, VpnGatewayName: "node-gw", InternetMaxBandwidthOut: 5, InstanceChargeType: "POSTPAID_BY_HOUR",
    Tags: [{ Key: "city", Value: "shanghai" }],
  });
  ids.gateway = made.VpnGateway.VpnGatewayId;
  assert.match(ids.gateway, /^vpngw-[0-9a-z]{8}$/);
  const seen = await until(async () => {
    const found = (await api.DescribeVpnGateways({ VpnGatewayIds: [ids.gateway] })).VpnGatewaySet[0];
    return found.State === "AVAILABLE" && found;
  }, "gateway");
  assert.equal(seen.Type, "IPSEC");
  assert.deepEqual(seen.TagSet, [{ Key: "city", Value: "shanghai" }]);
  ids.public = seen.PublicIpAddress;
}

async function connect(api, ids, address) {
  const customer = await api.CreateCustomerGateway({ CustomerGatewayName: "node", IpAddress: address });
  ids.customer = customer.CustomerGateway.CustomerGatewayId;
  const made = await api.CreateVpnConnection({
    VpnGatewayId: ids.gateway, CustomerGatewayId: ids.customer, VpnConnectionName: "node", PreShareKey: "node-psk",
    VpcId: ids.vpc, RouteType: "StaticRoute", DpdEnable: 1, DpdTimeout: "30",
  });
  ids.connection = made.VpnConnection.VpnConnectionId;
  const seen = await until(async () => {
    const found = (await api.DescribeVpnConnections({ VpnConnectionIds: [ids.connection] })).VpnConnectionSet[0];
    return found.State === "AVAILABLE" && found;
  }, "connection");
  assert.equal(seen.PreShareKey, "node-psk");
  assert.equal(seen.DpdTimeout, "30");
  assert.equal(seen.IKEOptionsSpecification.LocalAddress, ids.public);
  const vendor = (await api.DescribeCustomerGatewayVendors({})).CustomerGatewayVendorSet[0];
  const download = await api.DownloadCustomerGatewayConfiguration({
    VpnGatewayId: ids.gateway, VpnConnectionId: ids.connection, CustomerGatewayVendor: vendor, InterfaceName: "eth0",
  });
  assert.match(download.CustomerGatewayConfiguration, /node-psk/);
}

async function teardown(api, ids) {
  await refused(api.DeleteVpnGateway({ VpnGatewayId: ids.gateway }), "UnsupportedOperation", "ResourceInUse");
  await refused(api.DeleteCustomerGateway({ CustomerGatewayId: ids.customer }), "ResourceInUse");
  await api.DeleteVpnConnection({ VpnGatewayId: ids.gateway, VpnConnectionId: ids.connection });
  const filters = [{ Name: "vpn-gateway-id", Values: [ids.gateway] }];
  await until(
    async () => (await api.DescribeVpnConnections({ Filters: filters })).VpnConnectionSet.length === 0,
    "end of connection",
  );
  await api.DeleteCustomerGateway({ CustomerGatewayId: ids.customer });
  await api.DeleteVpnGateway({ VpnGatewayId: ids.gateway });
  await until(
    async () => (await api.DescribeVpnGateways({ Filters: [{ Name: "vpc-id", Values: [ids.vpc] }] })).VpnGatewaySet.length === 0,
    "end of gateway",
  );
  await api.DeleteSubnet({ SubnetId: ids.subnet });
  const mine = [{ Name: "subnet-id", Values: [ids.subnet] }];
  await until(async () => (await api.DescribeSubnets({ Filters: mine })).SubnetSet.length === 0, "end of subnet");
  await api.DeleteVpc({ VpcId: ids.vpc });
}

const MANNERS = {
  "TC3 POST": {},
  "TC3 GET": { httpProfile: { reqMethod: "GET" } },
  HmacSHA256: { signMethod: "HmacSHA256" },
  HmacSHA1: { signMethod: "HmacSHA1" },
};

for (const [index, [name, changes]] of Object.entries(MANNERS).entries()) {
  test(`life of a gateway, ${name}`, async () => {
    const api = new vpc.v20170312.Client(profile(changes));
    const ids = {};
    await build(api, ids);
    await connect(api, ids, `52.32.0.${index + 1}`);
    await teardown(api, ids);
  });
}

test("a wrong secret and an unknown key", async () => {
  const wrong = new vpc.v20170312.Client(profile({ credential: { secretKey: "wrong" } }));
  await refused(wrong.DescribeVpnGateways({}), "AuthFailure.SignatureFailure");
  const nobody = new vpc.v20170312.Client(profile({ credential: { secretId: "AKIDnobody" } }));
  await refused(nobody.DescribeVpnGateways({}), "AuthFailure.SecretIdNotFound");
});

test("documented refusals", async () => {
  const api = new vpc.v20170312.Client(profile());
  const sound = { VpcId: "vpc-00000000", VpnGatewayName: "x", InternetMaxBandwidthOut: 5 };
  await refused(api.CreateVpnGateway(sound), "InvalidVpcId.NotFound");
  await refused(api.CreateVpnGateway({ ...sound, VpcId: "" }), "UnsupportedOperation.VpnGwVpcIdMustHave");
  await refused(api.CreateVpnGateway({ ...sound, VpcId: "x" }), "InvalidVpcId.Malformed");
  await refused(api.DeleteVpnGateway({ VpnGatewayId: "vpngw-00000000" }), "ResourceNotFound");
});

test("an empty list is a list", async () => {
  const api = new vpc.v20170312.Client({ ...profile(), region: "ap-nanjing" });
  const page = await api.DescribeVpnGateways({});
  assert.deepEqual([page.VpnGatewaySet, page.TotalCount], [[], 0]);
});
