/**
 * The bars of the last 24 hours, as percentages of the tallest one.
 */
(function () {
  "use strict";

  const LOWEST = 4; // percent: one error among a million events must be visible
  const EVERY = 6; // hours between two labels of the axis

  angular.module("pypicloud").factory("s3syncChart", function () {
    return function (hours) {
      const most = Math.max(1, ...hours.map((hour) => Math.max(hour.events, hour.errors)));
      const height = (value) => (value ? Math.max(LOWEST, (100 * value) / most) + "%" : "0");
      return {
        most: most,
        events: sum(hours, "events"),
        errors: sum(hours, "errors"),
        bars: hours.map((hour) => ({
          time: hour.time,
          events: hour.events,
          errors: hour.errors,
          eventHeight: height(hour.events),
          errorHeight: height(hour.errors),
          label: new Date(hour.time * 1000).getHours() % EVERY === 0,
        })),
      };
    };

    function sum(hours, name) {
      return hours.reduce((total, hour) => total + hour[name], 0);
    }
  });
})();
