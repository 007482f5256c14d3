"use strict";
// @alicloud/vpc20160428, unmodified: the whole life of a gateway, and how refusals reach its user.
const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const { $OpenApiUtil } = require("@alicloud/openapi-core");
const vpc = require("@alicloud/vpc20160428");
const { serve, until } = require("./server");

const REGION = "cn-hangzhou";
let server;

function client(changes = {}) {
  return new vpc.default(
    new $OpenApiUtil.Config({
      accessKeyId: server.keyId,
      accessKeySecret: server.keySecret,
      endpoint: server.address,
      protocol: "HTTP",
      regionId: REGION,
      ...changes,
    }),
  );
}

/** Calls an action through its typed request and gives the typed body. */
async function call(api, action, params = {}) {
  const request = new vpc[action + "Request"]({ regionId: REGION, ...params });
  const method = action[0].toLowerCase() + action.slice(1);
  return (await api[method](request)).body;
}

async function refused(promise, code, statusCode) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, error.message);
    assert.equal(error.statusCode, statusCode);
    return true;
  });
}

const gone = (promise) =>
  promise.then(
    () => false,
    (error) => {
      if (/NotFound/.test(error.code)) return true;
      throw error;
    },
  );

before(async () => {
  server = await serve();
});
after(() => server.stop());

async function network(api, ids) {
  const zones = (await call(api, "DescribeZones")).zones.zone.map((zone) => zone.zoneId);
  assert.ok(zones.length >= 2);
  ids.vpc = (await call(api, "CreateVpc", { cidrBlock: "10.0.0.0/8", vpcName: "node" })).vpcId;
  await until(async () => (await call(api, "DescribeVpcAttribute", { vpcId: ids.vpc })).status === "Available", "VPC");
  const made = await call(api, "CreateVSwitch", { vpcId: ids.vpc, cidrBlock: "10.1.0.0/24", zoneId: zones[0] });
  ids.vSwitch = made.vSwitchId;
  await until(
    async () => (await call(api, "DescribeVSwitchAttributes", { vSwitchId: ids.vSwitch })).status === "Available",
    "vSwitch",
  );
}

async function gateway(api, ids) {
  const made = await call(api, "CreateVpnGateway", {
    vpcId: ids.vpc, vSwitchId: ids.vSwitch, bandwidth: 10, instanceChargeType: "POSTPAY", name: "node-gw",
    enableIpsec: true, enableSsl: false,
  });
  ids.gateway = made.vpnGatewayId;
  assert.match(ids.gateway, /^vpn-[0-9a-z]{16,21}$/);
  assert.equal(typeof made.orderId, "number");
  const seen = await until(async () => {
    const now = await call(api, "DescribeVpnGateway", { vpnGatewayId: ids.gateway });
    return now.status === "active" && now;
  }, "gateway");
  assert.equal(seen.spec, "10M");
  assert.equal(seen.ipsecVpn, "enable");
  assert.equal(seen.enableBgp, false);
  ids.public = seen.internetIp;
  assert.match(ids.public, /^\d+\.\d+\.\d+\.\d+$/);
}

async function connection(api, ids) {
  ids.customer = (await call(api, "CreateCustomerGateway", { ipAddress: "52.31.0.1", asn: "65530" })).customerGatewayId;
  const made = await call(api, "CreateVpnConnection", {
    vpnGatewayId: ids.gateway, customerGatewayId: ids.customer, localSubnet: "10.0.0.0/8",
    remoteSubnet: "192.168.10.0/24", ikeConfig: JSON.stringify({ Psk: "node-psk", IkeVersion: "ikev2" }),
    tags: [new vpc.CreateVpnConnectionRequestTags({ key: "a", value: "b" })],
  });
  ids.connection = made.vpnConnectionId;
  const seen = await until(async () => {
    const now = await call(api, "DescribeVpnConnection", { vpnConnectionId: ids.connection });
    return now.state === "active" && now;
  }, "connection");
  assert.equal(seen.ikeConfig.psk, "node-psk");
  assert.equal(seen.ikeConfig.localId, ids.public);
  assert.equal(seen.ikeConfig.ikeLifetime, 86400);
  assert.equal(seen.enableDpd, true);
  const list = await call(api, "DescribeVpnConnections", { vpnGatewayId: ids.gateway });
  assert.deepEqual(list.vpnConnections.vpnConnection.map((item) => item.vpnConnectionId), [ids.connection]);
  const config = await call(api, "DownloadVpnConnectionConfig", { vpnConnectionId: ids.connection });
  assert.equal(config.vpnConnectionConfig.local, "52.31.0.1");
  assert.equal(config.vpnConnectionConfig.remote, ids.public);
}

async function tags(api, ids) {
  const what = { resourceType: "VPNGATEWAY", resourceId: [ids.gateway] };
  await call(api, "TagResources", { ...what, tag: [new vpc.TagResourcesRequestTag({ key: "team", value: "net" })] });
  const listed = await call(api, "ListTagResources", what);
  assert.deepEqual(listed.tagResources.tagResource.map((row) => [row.tagKey, row.tagValue]), [["team", "net"]]);
  await call(api, "UnTagResources", { ...what, tagKey: ["team"] });
  assert.deepEqual((await call(api, "ListTagResources", what)).tagResources.tagResource, []);
}

async function teardown(api, ids) {
  await refused(call(api, "DeleteVpnGateway", { vpnGatewayId: ids.gateway }), "DependencyViolation.VpnConnection", 400);
  await refused(
    call(api, "DeleteCustomerGateway", { customerGatewayId: ids.customer }), "DependencyViolation.VpnConnection", 400,
  );
  await call(api, "DeleteVpnConnection", { vpnConnectionId: ids.connection });
  await until(() => gone(call(api, "DescribeVpnConnection", { vpnConnectionId: ids.connection })), "end of connection");
  await call(api, "DeleteCustomerGateway", { customerGatewayId: ids.customer });
  await until(
    () =>
      call(api, "DeleteVpnGateway", { vpnGatewayId: ids.gateway }).then(
        () => true,
        (error) => {
          if (error.code === "VpnGateway.Configuring") return false;
          throw error;
        },
      ),
    "a free gateway",
  );
  await until(() => gone(call(api, "DescribeVpnGateway", { vpnGatewayId: ids.gateway })), "end of gateway");
  await call(api, "DeleteVSwitch", { vSwitchId: ids.vSwitch });
  await until(
    async () => !(await call(api, "DescribeVSwitchAttributes", { vSwitchId: ids.vSwitch })).vSwitchId,
    "end of vSwitch",
  );
  await call(api, "DeleteVpc", { vpcId: ids.vpc });
  await until(() => gone(call(api, "DescribeVpcAttribute", { vpcId: ids.vpc })), "end of VPC");
  await refused(call(api, "DescribeVpcAttribute", { vpcId: ids.vpc }), "InvalidVpcId.NotFound", 404);
}

for (const signatureAlgorithm of [undefined, "v2"]) {
  test(`life of a gateway, signature ${signatureAlgorithm || "ACS3"}`, async () => {
    const api = client({ signatureAlgorithm });
    const ids = {};
    for (const part of [network, gateway, connection, tags, teardown]) await part(api, ids);
  });
}

test("a wrong secret", async () => {
  const api = client({ accessKeySecret: "wrong" });
  await refused(call(api, "DescribeVpnGateways"), "SignatureDoesNotMatch", 400);
});

test("an unknown key", async () => {
  const api = client({ accessKeyId: "LTAInobody" });
  await refused(call(api, "DescribeVpnGateways"), "InvalidAccessKeyId.NotFound", 404);
});

test("an unknown gateway", async () => {
  await refused(
    call(client(), "DescribeVpnGateway", { vpnGatewayId: "vpn-bp1doesnotexist00000" }),
    "InvalidVpnGatewayInstanceId.NotFound", 404,
  );
});

test("an empty list is a list", async () => {
  const page = await call(client(), "DescribeVpnGateways", { regionId: "cn-zhangjiakou" });
  assert.deepEqual(page.vpnGateways.vpnGateway, []);
  assert.equal(page.totalCount, 0);
});
