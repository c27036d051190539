import assert from "node:assert/strict";
import { test } from "node:test";
import { withBothSdks } from "./sdks.js";

withBothSdks((sdk, client) => {
  test("items are put, read, found and deleted", async () => {
    const root = `js-${crypto.randomUUID()}`;
    await client.store.putItem([root, "cats"], "tom", { age: 3, likes: "jerry" });
    await client.store.putItem([root, "cats"], "kitty", { age: 1 });
    await client.store.putItem([root, "dogs"], "rex", { age: 3 });

    const tom = await client.store.getItem([root, "cats"], "tom");
    assert.deepEqual([tom.namespace, tom.key, tom.value], [[root, "cats"], "tom", { age: 3, likes: "jerry" }]);
    assert.ok(Date.parse(tom.createdAt) <= Date.parse(tom.updatedAt));

    const keys = async (prefix, options) =>
      (await client.store.searchItems(prefix, options)).items.map((item) => item.key).sort();
    assert.deepEqual(await keys([root]), ["kitty", "rex", "tom"]);
    assert.deepEqual(await keys([root], { filter: { age: 3 } }), ["rex", "tom"]);
    assert.deepEqual(await keys([root, "cats"], { filter: { age: { $lt: 2 } } }), ["kitty"]);
    assert.equal((await keys([root], { limit: 1 })).length, 1);

    const { namespaces } = await client.store.listNamespaces({ prefix: [root] });
    assert.deepEqual(namespaces.toSorted(), [[root, "cats"], [root, "dogs"]]);

    await client.store.deleteItem([root, "cats"], "tom");
    await client.store.deleteItem([root, "cats"], "tom");
    assert.deepEqual(await keys([root, "cats"]), ["kitty"]);
  });

  test("an item that is not there is null", async () => {
    assert.equal(await client.store.getItem([`js-${crypto.randomUUID()}`], "nothing"), null);
  });
});
