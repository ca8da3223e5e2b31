/**
 * Shows what a plan changes: each value with a name and a unit, documents as lines, nothing empty.
 */
(function () {
  "use strict";

  const NAMES = {
    MemorySize: "memory",
    retention_days: "retention",
    MessageRetentionPeriod: "retention",
    CodeSha256: "code",
    KmsKeyArn: "encryption key",
    ReservedConcurrentExecutions: "reserved concurrency",
    VpcConfig: "VPC",
  };
  const SECONDS = ["Timeout", "VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumBatchingWindowInSeconds"];
  // Lines that are shown; the others are folded.
  const SHOWN = 8;
  const INLINE = 3;

  angular.module("pypicloud").factory("s3syncDifferences", [
    "$filter",
    function ($filter) {
      // Returns the differences of a part as short texts, for its row: "memory 512 → 1024 MB".
      function inRow(changes) {
        const texts = _.flatten((changes || []).map((change) => shortly(change.field, change.before, change.after)));
        const rest = texts.length - INLINE;
        return rest > 1 ? texts.slice(0, INLINE).concat("and " + $filter("s3syncNumber")(rest) + " more") : texts;
      }

      function shortly(field, before, after) {
        if (isEmpty(before) && isEmpty(after)) return [];
        if (isPlain(before) && isPlain(after)) {
          return [label(field) + " " + transition(field, before, after)];
        }
        if (isEmpty(before)) return [label(field) + " is missing"];
        if (isEmpty(after)) return [label(field) + " is not in the settings"];
        const lines = compared(field, before, after).length;
        return [label(field) + ": " + (lines === 1 ? "1 line differs" : $filter("s3syncNumber")(lines) + " lines differ")];
      }

      function transition(field, before, after) {
        if (isEmpty(before)) return "none → " + text(field, after);
        if (isEmpty(after)) return text(field, before) + " → none";
        // The unit is said once if it is the same.
        const from = text(field, before).split(" ");
        const to = text(field, after).split(" ");
        const same = from.length === 2 && to.length === 2 && from[1] === to[1];
        return (same ? from[0] : from.join(" ")) + " → " + to.join(" ");
      }

      // Returns an action of a plan with its lines: those to show, and those to fold.
      function ofAction(action) {
        const lines = _.flatten(
          action.changes.map((change) =>
            action.verb === "create"
              ? compared(change.field, null, change.after)
              : compared(change.field, change.before, change.after)
          )
        );
        // What is created is new in every line: a long list says no more than the part's name.
        const shown = lines.length <= (action.verb === "create" ? INLINE : SHOWN + 1) ? lines.length : action.verb === "create" ? 0 : SHOWN;
        return {
          verb: action.verb,
          resource: action.resource,
          name: action.name,
          lines: lines.slice(0, shown),
          more: lines.slice(shown),
        };
      }

      // Returns the lines that only one of two values has.
      function compared(field, before, after) {
        if (isPlain(before) && isPlain(after) && !isEmpty(before) && !isEmpty(after)) {
          return [{ sign: "~", text: label(field) + " " + transition(field, before, after) }];
        }
        const old = asLines(field, before);
        const now = asLines(field, after);
        return signed("−", _.difference(old, now)).concat(signed("+", _.difference(now, old)));
      }

      function signed(sign, lines) {
        return lines.map((line) => ({ sign: sign, text: line }));
      }

      // Returns a value as lines of text: an IAM document as a line for each action.
      function asLines(field, value) {
        if (isEmpty(value)) return [];
        return inside(value, field).map((line) => label(field) + " " + line);
      }

      // Returns the lines of a value that is not empty, without the name of its field.
      function inside(value, field) {
        if (isPlain(value)) return [text(field, value)];
        if (value.Statement) return _.flatten([].concat(value.Statement).map(ofStatement));
        if (Array.isArray(value)) return _.flatten(value.filter((item) => !isEmpty(item)).map((item) => inside(item, field)));
        return _.flatten(
          Object.keys(value)
            .filter((key) => !isEmpty(value[key]))
            .map((key) => inside(value[key], key).map((line) => label(key) + " " + line))
        );
      }

      function ofStatement(statement) {
        const on = statement.Resource ? [].concat(statement.Resource).join(", ") : "assumed by Lambda";
        return [].concat(statement.Action).map((action) => statement.Effect.toLowerCase() + " " + action + "  " + on);
      }

      function text(field, value) {
        if (Array.isArray(value)) return value.map((item) => text(field, item)).join(", ");
        if (SECONDS.indexOf(field) >= 0 && isFinite(value)) return $filter("s3syncDuration")(Number(value));
        if (field === "MemorySize") return value + " MB";
        if (field === "retention_days") return value + (value === 1 ? " day" : " days");
        if (field === "CodeSha256") return String(value).slice(0, 8);
        return String(value);
      }

      // "VisibilityTimeout" reads "visibility timeout"; the names of variables, tags and settings stay.
      function label(field) {
        return NAMES[field] || (/^[A-Z][A-Za-z]*[a-z]$/.test(field) ? words(field) : field);
      }

      function words(name) {
        return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/\b[A-Z](?=[a-z])/g, (letter) => letter.toLowerCase());
      }

      function isPlain(value) {
        return typeof value !== "object" || value === null || (Array.isArray(value) && value.every((item) => typeof item !== "object"));
      }

      function isEmpty(value) {
        return value === null || value === undefined || value === "" || (typeof value === "object" && _.every(value, isEmpty));
      }

      return { inRow: inRow, ofAction: ofAction };
    },
  ]);
})();
