/**
 * Shows differences as text: those of a part in its row, those of a plan as lines, a line for each action of a policy.
 */
(function () {
  "use strict";

  // The names of fields in a plan; the others keep AWS's words.
  const NAMES = {
    MemorySize: "memory",
    retention_days: "retention",
    MessageRetentionPeriod: "retention",
    VpcConfig: "VPC",
  };
  // The fields that hold hashes of the code.
  const HASHES = ["fingerprint", "CodeSha256"];
  // The elements of a policy's statement that need no name; an id decides nothing.
  const IN_PLACE = ["Sid", "Effect", "Action", "Resource"];
  // Differences in a row, and lines of a plan that are not folded.
  const IN_ROW = 3;
  const NEW_LINES = 3;
  const CHANGED_LINES = 9;
  const LONGEST = 60; // characters of a value in a row

  angular.module("pypicloud").factory("s3syncDifferences", [
    "$filter",
    "s3syncWords",
    function ($filter, words) {
      // Returns the differences of a part: "memory 512 → 1024 MB".
      function inRow(differences) {
        const texts = (differences || []).map(shortly);
        const rest = texts.length - IN_ROW;
        return rest > 1 ? texts.slice(0, IN_ROW).concat("and " + $filter("s3syncNumber")(rest) + " more") : texts;
      }

      function shortly(difference) {
        const isCode = difference.field === "code";
        const before = isCode ? words.code(difference.before) : difference.before;
        const after = difference.after;
        if (isEmpty(before) && String(after).length > LONGEST) return difference.field + " is missing";
        if (isEmpty(after) && String(before).length > LONGEST) return difference.field + " is not in the settings";
        return difference.field + " " + transition(before, after, difference.unit, shortened);
      }

      // Returns an action of a plan with its lines: those to show, and those to fold.
      function ofAction(action) {
        const isNew = action.verb === "create";
        const changes = action.code ? action.changes.filter((change) => HASHES.indexOf(change.field) < 0) : action.changes;
        const lines = ofCode(action.code).concat(_.flatten(changes.map((change) => compared(change, isNew))));
        const most = isNew ? NEW_LINES : CHANGED_LINES;
        // Every line of a new part is new, so a few of many would say nothing.
        const shown = lines.length <= most ? lines.length : isNew ? 0 : most - 1;
        return Object.assign({}, action, { lines: lines.slice(0, shown), more: lines.slice(shown) });
      }

      // Returns what a plan does with the code, in place of its hashes.
      function ofCode(code) {
        if (!code) return [];
        const text = code === "current" ? "uploaded again" : transition(words.code(code), "current", undefined, String);
        return [{ sign: "~", text: "code " + text }];
      }

      // Returns the lines that only one of two values has.
      function compared(change, isNew) {
        const before = isNew ? null : change.before;
        if (isPlain(before) && isPlain(change.after) && !isEmpty(before) && !isEmpty(change.after)) {
          const text = transition(before, change.after, change.unit, String);
          return [{ sign: "~", text: label(change.field) + " " + text }];
        }
        const old = asLines(change.field, before, change.unit);
        const now = asLines(change.field, change.after, change.unit);
        return signed("−", _.difference(old, now)).concat(signed("+", _.difference(now, old)));
      }

      function signed(sign, lines) {
        return lines.map((line) => ({ sign: sign, text: line }));
      }

      function transition(before, after, unit, format) {
        const from = isEmpty(before) ? "none" : format(text(before, isEmpty(after) ? unit : undefined));
        return from + " → " + (isEmpty(after) ? "none" : format(text(after, unit)));
      }

      function asLines(field, value, unit) {
        return isEmpty(value) ? [] : inside(value, unit).map((line) => label(field) + " " + line);
      }

      // Returns the lines of a value that is not empty.
      function inside(value, unit) {
        if (isPlain(value)) return [text(value, unit)];
        if (value.Statement) return _.flatten([].concat(value.Statement).map(ofStatement));
        if (Array.isArray(value)) return _.flatten(_.reject(value, isEmpty).map((item) => inside(item)));
        return _.flatten(Object.keys(value).map((key) => asLines(key, value[key])));
      }

      // Returns a line for each action, with everything that decides whether it is allowed.
      function ofStatement(statement) {
        const target = statement.Resource ? [[].concat(statement.Resource).join(", ")] : [];
        const others = Object.keys(_.omit(statement, IN_PLACE)).map((key) => spaced(key) + " " + oneLine(statement[key]));
        return [].concat(statement.Action || "").map((action) =>
          [(statement.Effect.toLowerCase() + " " + action).trim()].concat(target, others).join("  ")
        );
      }

      // {"Service": "s3.amazonaws.com"} reads "Service s3.amazonaws.com".
      function oneLine(value) {
        if (!_.isObject(value)) return String(value);
        if (Array.isArray(value)) return value.map(oneLine).join(", ");
        return Object.keys(value).sort().map((key) => key + " " + oneLine(value[key])).join(", ");
      }

      function text(value, unit) {
        if (Array.isArray(value)) return value.map((item) => text(item)).join(", ");
        return String(value) + (unit ? " " + (unit === "days" && Number(value) === 1 ? "day" : unit) : "");
      }

      function shortened(value) {
        return value.length > LONGEST ? value.slice(0, LONGEST) + "…" : value;
      }

      // "VisibilityTimeout" reads "visibility timeout"; the names of variables, tags and settings stay.
      function label(field) {
        return NAMES[field] || (/^[A-Z][A-Za-z]*[a-z]$/.test(field) ? spaced(field) : field);
      }

      function spaced(name) {
        const parts = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
        return parts.replace(/\b[A-Z](?=[a-z])/g, (letter) => letter.toLowerCase());
      }

      function isPlain(value) {
        return !_.isObject(value) || (Array.isArray(value) && !value.some(_.isObject));
      }

      function isEmpty(value) {
        if (_.isObject(value)) return _.every(value, isEmpty);
        return value === null || value === undefined || value === "";
      }

      return { inRow: inRow, ofAction: ofAction };
    },
  ]);
})();
