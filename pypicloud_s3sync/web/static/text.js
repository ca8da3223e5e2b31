/**
 * A message of the server as a sentence in the page. What is between backticks is code, as on the command line.
 */
(function () {
  "use strict";

  angular.module("pypicloud").directive("s3syncText", [
    "$filter",
    function ($filter) {
      return function (scope, element, attributes) {
        scope.$watch(attributes.s3syncText, (message) => {
          const parts = message ? $filter("s3syncSentence")(message).split("`") : [];
          element.empty();
          // Text, never HTML: a message may contain names that others have chosen.
          parts.forEach((part, index) => element[0].appendChild(index % 2 ? code(part) : new Text(part)));
        });
      };
    },
  ]);

  function code(text) {
    const element = document.createElement("code");
    element.textContent = text;
    return element;
  }
})();
