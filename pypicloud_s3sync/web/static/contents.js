/**
 * What the panel says about the packages in the bucket and in the cache, from a status document.
 */
(function () {
  "use strict";

  const KINDS = {
    missing: "missing in the cache",
    gone: "no longer in the bucket",
    stale: "out of date",
    summaries: "with a wrong summary",
  };

  angular.module("pypicloud").factory("s3syncContents", [
    "$filter",
    function ($filter) {
      const number = $filter("s3syncNumber");
      const count = $filter("s3syncCount");

      return function (status) {
        const contents = status.contents || {};
        const compared = status.compared;
        return {
          objects: known(contents.objects),
          rows: known(contents.rows),
          result: compared ? result(compared) : "",
          differ: Boolean(compared && !compared.in_sync) || countsDiffer(contents),
        };
      };

      function known(count) {
        return typeof count === "number" ? number(count) : "unknown";
      }

      // A count that is not exact proves nothing, unless it is already larger.
      function countsDiffer(contents) {
        const objects = contents.objects;
        const rows = contents.rows;
        if (typeof objects !== "number" || typeof rows !== "number" || !contents.rows_exact) return false;
        return objects > rows || (contents.objects_exact && objects !== rows);
      }

      function result(compared) {
        if (compared.in_sync) {
          return compared.repaired ? count(compared.repaired, "difference was repaired", "differences were repaired") : "no difference";
        }
        const left = Object.keys(KINDS).filter((kind) => (compared.differences || {})[kind]);
        const texts = left.map((kind) => number(compared.differences[kind]) + " " + KINDS[kind]);
        if (compared.failed) texts.push(number(compared.failed) + " not repaired");
        return texts.join(", ") || "they differ";
      }
    },
  ]);
})();
