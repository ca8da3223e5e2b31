/**
 * An IAM policy that allows a call that AWS denied, to be copied.
 */
(function () {
  "use strict";

  angular.module("pypicloud").directive("s3syncPolicy", function () {
    return {
      scope: { policy: "=s3syncPolicy" },
      template:
        '<div ng-if="policy"><p>Add this policy to the IAM role or user that runs pypicloud:</p>' +
        '<pre tabindex="0" role="region" aria-label="IAM policy">{{ text }}</pre></div>',
      link: function (scope) {
        scope.$watch("policy", (policy) => {
          scope.text = JSON.stringify(policy, null, 2);
        });
      },
    };
  });
})();
