/**
 * What the panel says about the events that wait and that failed, from a status document.
 */
(function () {
  "use strict";

  angular.module("pypicloud").factory("s3syncEvents", [
    "$filter",
    function ($filter) {
      const number = $filter("s3syncNumber");
      const age = $filter("s3syncAge");

      // Returns how many there are, with the age of the oldest if it is known, in the words of the command line.
      return function (status) {
        const events = status.events;
        return events ? ["waiting", "failed"].map((kind) => counted(events, kind)).join(", ") : "";
      };

      function counted(events, kind) {
        const seconds = events["oldest_" + kind + "_seconds"];
        const oldest = typeof seconds === "number" ? " (the oldest for " + age(seconds) + ")" : "";
        return number(events[kind]) + " " + kind + oldest;
      }
    },
  ]);
})();
