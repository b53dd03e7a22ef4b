/**
 * The simple commands of a shell text as lists of words: enough of the shell for the examples in the documentation
 * (quotes, comments, pipes, redirections to the end of a command). Throws on a quote that is never closed.
 */
export function shellCommands(text: string): string[][] {
  const commands: string[][] = [];
  let command: string[] = [];
  let word: string | undefined;
  const endWord = () => {
    if (word !== undefined) command.push(word);
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    if (command.length > 0) commands.push(command);
    command = [];
  };
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '#' && word === undefined) at = endOfLine(text, at) - 1;
    else if (/[\n|;&]/.test(character)) endCommand();
    else if (character === '<' || character === '>') {
      endWord();
      at = text.slice(at).search(/[\n|;]|$/) + at - 1;
    } else if (/\s/.test(character)) endWord();
    else if (character === '\\') {
      at++;
      if (text.charAt(at) !== '\n') word = (word ?? '') + text.charAt(at);
    } else if (character === "'" || character === '"') {
      const end = text.indexOf(character, at + 1);
      if (end === -1) throw new Error(`A quote is not closed: ${text.slice(at, endOfLine(text, at))}`);
      word = (word ?? '') + text.slice(at + 1, end);
      at = end;
    } else word = (word ?? '') + character;
  }
  endCommand();
  return commands;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}

/** The arguments of each `mlferry` among the commands of a shell text, also behind `npx node` and `ssh host`. */
export function mlferryArguments(text: string): string[][] {
  return shellCommands(text).flatMap((words) => {
    const at = words.findIndex((word) => word === 'mlferry' || word === 'bin/mlferry.js');
    return at === -1 || words[0] === 'npm' ? [] : [words.slice(at + 1)];
  });
}
